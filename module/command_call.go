// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

const (
	// callTimeout bounds one request to the admin endpoint.
	callTimeout = 60 * time.Second
	// maxAnswer is the size of the largest answer that is read: a page of
	// either list is far below.
	maxAnswer = 16 << 20
)

// get reads the resource at path into answer.
func (c *console) get(path string, answer any) error {
	return c.call(http.MethodGet, path, nil, answer)
}

// post sends order to path and reads what became of it into answer.
func (c *console) post(path string, order, answer any) error {
	return c.call(http.MethodPost, path, order, answer)
}

// call is one request to the admin endpoint and its answer, a document.
func (c *console) call(method, path string, order, answer any) error {
	ctx, cancel := context.WithTimeout(c.ctx, callTimeout)
	defer cancel()
	w, address, err := c.send(ctx, method, path, order)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	text, err := io.ReadAll(io.LimitReader(w.Body, maxAnswer))
	if err != nil {
		return unreachable(address, err)
	}
	if w.StatusCode >= 300 {
		return refused(address, w.StatusCode, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return &failure{exitTrouble, fmt.Sprintf("what answers at %s is not the admin endpoint of a Caddy with caddy-oauth2", address)}
	}
	return nil
}

// send is one request to the admin endpoint; what becomes of the answer is up to
// the caller, who closes its body. It is not caddycmd.AdminAPIRequest, because
// that turns a refusal into text and its status would be lost.
func (c *console) send(ctx context.Context, method, path string, order any) (_ *http.Response, address string, _ error) {
	address, err := c.address()
	if err != nil {
		return nil, "", err
	}
	var body io.Reader
	if order != nil {
		text, err := json.Marshal(order)
		if err != nil {
			return nil, "", fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	host, transport, err := dialing(address)
	if err != nil {
		return nil, "", refuse("the admin address %q: %s", address, err)
	}
	transport.DisableKeepAlives = true // one request, and nothing to clean up
	r, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, body)
	if err != nil {
		return nil, "", refuse("the admin address %q: %s", address, err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{
		Transport: transport,
		// A redirect is not the admin API's: following it could carry a secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w, err := client.Do(r)
	if err != nil {
		return nil, "", unreachable(address, err)
	}
	return w, address, nil
}

// address finds the admin endpoint as Caddy's own commands do.
func (c *console) address() (string, error) {
	address, config := c.flag("address"), c.flag("config")
	if address != "" && config != "" {
		return "", refuse("--address and --config both name the admin endpoint: give one")
	}
	var loaded []byte
	if config != "" {
		text, _, _, err := caddycmd.LoadConfig(config, c.flag("adapter"))
		if err != nil {
			return "", refuse("reading the configuration: %s", err)
		}
		var settings struct {
			Admin caddy.AdminConfig `json:"admin"`
		}
		if err := json.Unmarshal(text, &settings); err == nil && settings.Admin.Disabled {
			return "", &failure{exitNoCaddy, config + " turns the admin endpoint off, and these commands need it. " +
				"Instead of `admin off`, `admin unix//run/caddy/admin.sock` opens it to this machine's file permissions only"}
		}
		loaded = text
	}
	address, err := caddycmd.DetermineAdminAPIAddress(address, loaded, config, c.flag("adapter"))
	if err != nil {
		return "", refuse("finding the admin endpoint: %s", err)
	}
	return address, nil
}

// dialing returns the host to name in requests to the address, and a transport
// that reaches it: TCP, or a unix socket whose address may end in "|" and the
// permissions that Caddy gives it.
func dialing(address string) (host string, _ *http.Transport, _ error) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return "", nil, err
	}
	if parsed.PortRangeSize() > 1 {
		return "", nil, errors.New("it names more than one port")
	}
	if parsed.IsFdNetwork() {
		return "", nil, errors.New("a file descriptor belongs to the running Caddy: no other process can reach it. Listen on a unix socket")
	}
	host, target := parsed.JoinHostPort(0), parsed.JoinHostPort(0)
	if parsed.IsUnixNetwork() {
		target, _, _ = strings.Cut(parsed.Host, "|")
		host = "127.0.0.1"
	}
	return host, &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, parsed.Network, target)
		},
	}, nil
}

// unreachable says what may be wrong when nothing answers.
func unreachable(address string, err error) error {
	var op *net.OpError
	reason := err
	if errors.As(err, &op) {
		reason = op.Err
	}
	return &failure{exitNoCaddy, fmt.Sprintf("no admin endpoint answers at %s (%s). Is Caddy running? "+
		"If its admin endpoint is elsewhere, name it with --address or --config. "+
		"If it is off (`admin off`), these commands cannot reach it: `admin unix//run/caddy/admin.sock` opens it to this machine's file permissions only", address, reason)}
}

// refused turns an answer other than success into a failure.
func refused(address string, status int, body []byte) error {
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		if status == http.StatusNotFound {
			return &failure{exitNoCaddy, fmt.Sprintf("the Caddy at %s was built without caddy-oauth2 (see `caddy list-modules`)", address)}
		}
		return &failure{exitTrouble, fmt.Sprintf("what answers at %s is not the admin endpoint of a Caddy with caddy-oauth2 (HTTP %d)", address, status)}
	}
	code := exitRefused
	switch {
	case status == http.StatusNotFound:
		code = exitNotFound
	case status >= 500:
		code = exitTrouble
	}
	return &failure{code, answer.Error}
}
