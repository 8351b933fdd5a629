// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// echoMethod is the one method of the gRPC service: both sides stream.
const echoMethod = "/test.Echo/Talk"

// fails is a message that the service has no answer to.
const fails = "fail"

// bytesCodec sends messages as they are: this is not about protocol buffers.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "bytes" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

var _ encoding.CodecV2 = bytesCodec{}

// newEchoService starts a gRPC service without TLS that says everything again, and at
// the end how many messages it were; to a last message [fails] it ends with an error. It
// returns its address.
func newEchoService(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var message []byte
		for count := 0; ; count++ {
			if err := stream.RecvMsg(&message); err != nil { // the other side has said all
				stream.SetTrailer(metadata.Pairs("count", strconv.Itoa(count)))
				return nil
			}
			if string(message) == fails {
				return status.Error(codes.FailedPrecondition, "as you wish: 100 %")
			}
			if err := stream.SendMsg(&message); err != nil {
				return err
			}
		}
	}))
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return l.Addr().String()
}

// dialGRPC returns a connection to the TLS site that ends with the test.
func (g *streamGateway) dialGRPC() *grpc.ClientConn {
	g.t.Helper()
	conn, err := grpc.NewClient("passthrough:///127.0.0.1:"+g.tlsPort,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, ServerName: "stream.localhost"})),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// talk begins a gRPC stream in both directions and returns when both flow.
func (g *streamGateway) talk(name string, conn *grpc.ClientConn, token string) *live {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	g.t.Cleanup(cancel)
	s := &live{name: name + ": gRPC", end: make(chan error, 1), close: cancel}
	stream, err := conn.NewStream(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token),
		&grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, echoMethod)
	if err != nil {
		g.t.Fatal(err)
	}
	round := func() error {
		message := []byte("hello")
		if err := stream.SendMsg(&message); err != nil {
			return stream.RecvMsg(&message)
		}
		return stream.RecvMsg(&message)
	}
	if err := round(); err != nil {
		g.t.Fatalf("%s: %v", s.name, err)
	}
	go func() {
		for {
			if err := round(); err != nil {
				s.end <- err
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return s
}
