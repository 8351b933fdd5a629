// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	// MaxTime is how long a request may take from the first step to the last
	// byte of the answer, with the wait for its turn.
	MaxTime = 5 * time.Second
	// MaxBody is the length in bytes of the longest answer, after decompression.
	MaxBody = 512 << 10
	// maxHeader is the same for the headers of an answer.
	maxHeader = 64 << 10
	// userAgent is how we introduce ourselves.
	userAgent = "caddy-oauth2"
)

// ErrUnreachable is what every error of [Client.Do] derives from. Its text is
// all that anybody may be told who is not the operator: whether an address is
// refused, closed or silent would be a map of the network that we stand in.
var ErrUnreachable = errors.New("the address cannot be reached")

// Request is an outgoing request.
type Request struct {
	// URL is where it goes; see [CheckURL].
	URL string
	// By says who named the URL. Default: [Stranger].
	By Trust
	// Form makes it a POST of this form. Default: a GET.
	Form url.Values
	// Repeatable: the form may be sent again when a connection that was kept turns
	// out to be closed. A GET always is.
	Repeatable bool
	// Authorization is the value of that header. Default: none.
	Authorization string
	// Accept is the value of that header. Default: application/json.
	Accept string
	// Redirect: a redirect is an answer like any other. It is not followed.
	Redirect bool
}

// Answer is what came back: anything but a redirect, unless that was asked for.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Client makes outgoing requests. It is safe for concurrent use.
type Client struct {
	strangers, operators http.Client
	turns                turns
	budget               budget
	public               func(netip.Addr) bool
}

// New returns a client. It opens nothing until it is used.
func New() *Client {
	c := &Client{public: public, budget: budget{now: time.Now}}
	// Strangers' connections are not kept: each is checked and counted.
	c.strangers = newClient(&net.Dialer{ControlContext: c.check}, true)
	c.operators = newClient(new(net.Dialer), false)
	return c
}

func newClient(dialer *net.Dialer, once bool) http.Client {
	return http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // not even from the environment
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      once,
			MaxIdleConnsPerHost:    turnsOfOperator,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes connections that wait for another request. The client can
// still be used.
func (c *Client) Close() {
	c.strangers.CloseIdleConnections()
	c.operators.CloseIdleConnections()
}

// Do makes a request. Its errors derive from [ErrUnreachable] and say more, for
// logs only.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, MaxTime, fmt.Errorf("no answer within %s", MaxTime))
	defer cancel()
	answer, err := c.do(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, reason(ctx, err))
	}
	return answer, nil
}

func (c *Client) do(ctx context.Context, r Request) (*Answer, error) {
	u, err := parse(r.URL, r.By)
	if err != nil {
		return nil, err
	}
	done, err := c.turns.take(ctx, strings.ToLower(u.Host), r.By)
	if err != nil {
		return nil, err
	}
	defer done()
	request, err := r.request(ctx, u)
	if err != nil {
		return nil, err
	}
	client := &c.operators
	if r.By == Stranger {
		client = &c.strangers
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // nothing was written: there is nothing to lose
	if 300 <= response.StatusCode && response.StatusCode < 400 && !r.Redirect {
		return nil, fmt.Errorf("status %d: redirects are not followed, name the final URL", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("the answer is longer than %d bytes", MaxBody)
	}
	return &Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// request makes the request that goes out.
func (r *Request) request(ctx context.Context, u *url.URL) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if r.Form != nil {
		method, body = http.MethodPost, strings.NewReader(r.Form.Encode())
	}
	out, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, errors.New("the URL makes no request")
	}
	out.Header.Set("User-Agent", userAgent)
	out.Header.Set("Accept", cmp.Or(r.Accept, "application/json"))
	if r.Form != nil {
		out.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.Repeatable {
		out.Header["Idempotency-Key"] = nil // a word to net/http, which does not send it
	}
	if r.Authorization != "" {
		out.Header.Set("Authorization", r.Authorization)
	}
	return out, nil
}

// reason is why a request failed, without its URL, whose query may hold what
// is not for logs.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// check is called with every address that is about to be connected to for a
// stranger's URL.
func (c *Client) check(_ context.Context, _, hostport string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(hostport)
	if err != nil || !c.public(to.Addr()) {
		return errors.New("the address is not public")
	}
	return c.budget.spend(to.Addr())
}
