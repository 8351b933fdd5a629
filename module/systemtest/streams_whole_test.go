// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// talkLength is how many bytes a talk over a WebSocket has in each direction: less than
// what HTTP/2 lets one send unasked.
const talkLength = 40_000

// story is an answer of server-sent events, of odd lengths.
func story() (events []string) {
	for i := range 60 {
		events = append(events, fmt.Sprintf("id: %d\ndata: %s\n\n", i, strings.Repeat("é\t", i*7)))
	}
	return events
}

// bounded is the context of an exchange that comes to its end by itself.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// Ensure that streams which nobody cuts pass unharmed, over every protocol: the bytes of
// a WebSocket in both directions, an answer of server-sent events from its first to its
// last, and that they end as their service ends them.
func TestStreamsPassUnharmed(t *testing.T) {
	t.Parallel()
	g := startStreaming(t, streaming)
	said := make([]byte, talkLength)
	for i := range said {
		said[i] = byte(rand.Uint32())
	}
	for protocol, via := range g.transports() {
		resp, err := via.RoundTrip(g.request(bounded(t), http.MethodGet, "/story", g.shopToken("user"), nil))
		if err != nil {
			t.Errorf("events over %s: %v", protocol, err)
			continue
		}
		told, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(told) != strings.Join(story(), "") {
			t.Errorf("events over %s: %s, %v, %d bytes of %d", protocol, resp.Status, err, len(told), len(strings.Join(story(), "")))
		}
		heard, err := talk(via, g.request(bounded(t), http.MethodGet, "/talk", g.shopToken("user"), nil), protocol, said)
		if err != nil || !bytes.Equal(heard, said) {
			t.Errorf("a WebSocket over %s: %v, %d bytes of %d, the same: %t", protocol, err, len(heard), len(said), bytes.Equal(heard, said))
		}
	}
	eventually(t, "the service has nothing under way", func() bool { return g.service.under.Load() == 0 })
	if n := sum(g.metrics(), "caddy_oauth2_events_total", `type="request_cut"`); n != 0 {
		t.Errorf("%v streams were cut", n)
	}
}

// talk says something over a WebSocket, in pieces, and returns what the other side said
// until it ended the talk.
func talk(via http.RoundTripper, r *http.Request, protocol string, said []byte) ([]byte, error) {
	body, mouth := io.Pipe()
	defer mouth.Close()
	if protocol != "h1" {
		r.Body, r.ContentLength = body, -1
	}
	handshake(r, protocol)
	resp, err := via.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, ok := io.Writer(mouth), true
	if protocol == "h1" {
		if out, ok = resp.Body.(io.Writer); !ok {
			return nil, fmt.Errorf("no WebSocket: %s", resp.Status)
		}
	}
	go func() {
		for rest := said; len(rest) > 0; {
			piece := rest[:min(len(rest), 1+rand.IntN(3000))]
			if _, err := out.Write(piece); err != nil {
				return
			}
			rest = rest[len(piece):]
		}
	}()
	return io.ReadAll(resp.Body)
}

// Ensure that gRPC passes unharmed: every message in both directions, the end that one
// side says, and the status and trailers with which the other one answers it.
func TestRemoteCallsPassUnharmed(t *testing.T) {
	t.Parallel()
	g := startStreaming(t, streaming)
	conn := g.dialGRPC()
	begin := func() grpc.ClientStream {
		t.Helper()
		stream, err := conn.NewStream(metadata.AppendToOutgoingContext(bounded(t), "authorization", "Bearer "+g.shopToken("user")),
			&grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, echoMethod)
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	stream := begin()
	sizes := []int{0, 1, 5, 100, 16_384, 70_000, 300_000}
	for i, size := range sizes {
		message, answer := bytes.Repeat([]byte{byte(i)}, size), []byte(nil)
		if err := stream.SendMsg(&message); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&answer); err != nil || !bytes.Equal(answer, message) {
			t.Fatalf("a message of %d bytes: %v, %d bytes", size, err, len(answer))
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var none []byte
	if err := stream.RecvMsg(&none); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	if got := stream.Trailer().Get("count"); len(got) != 1 || got[0] != fmt.Sprint(len(sizes)) {
		t.Errorf("trailers: %v", stream.Trailer())
	}
	stream = begin()
	message := []byte(fails)
	if err := stream.SendMsg(&message); err != nil {
		t.Fatal(err)
	}
	if s, _ := status.FromError(stream.RecvMsg(&none)); s.Code() != codes.FailedPrecondition || s.Message() != "as you wish: 100 %" {
		t.Errorf("a call that fails: %v", s)
	}
}

// Ensure that streams are cut within the 5 s that are promised, counted from the
// acknowledgement of a revocation, or from a token's end. Half of them must be: the
// machine may have other things to do, so there are three rounds to show it in. Row S14.
func TestStreamsAreCutInTime(t *testing.T) {
	const promised = 5 * time.Second
	g := startStreaming(t, strings.Replace(streaming, "lifetime 3s", "lifetime 6s", 1)) // to open a stream takes a moment
	transports, grpc := g.transports(), g.dialGRPC()
	for round := range 3 {
		var took []time.Duration
		times := make(chan time.Duration, 100)
		count := 0
		watch := func(streams []*live, due func() time.Time) {
			for _, s := range streams {
				count++
				go func() {
					select {
					case <-s.end:
						times <- time.Since(due())
					case <-time.After(patience):
						times <- patience
					}
				}()
			}
		}
		token := g.shopToken("user")
		revoked := g.openAll("revoked", transports, grpc, func() string { return token })
		brief := make([]*live, 0, len(transports))
		var ended time.Time
		for protocol, via := range transports {
			brief = append(brief, g.open("expired", protocol, via, "/events", g.token("brief", briefSecret)))
			ended = time.Now().Add(6 * time.Second) // at the latest
		}
		watch(brief, func() time.Time { return ended })
		g.revoke(token)
		acknowledged := time.Now()
		watch(revoked, func() time.Time { return acknowledged })
		for range count {
			took = append(took, <-times)
		}
		slices.Sort(took)
		middle := took[len(took)/2]
		t.Logf("round %d: %d streams were cut after %v at the median, %v at most", round, count, middle, took[len(took)-1])
		if middle <= promised {
			return
		}
	}
	t.Errorf("half of the streams live longer than %v after their end", promised)
}
