// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// abroad accepts tokens of another issuer: signed ones at api, and at asked those
// that the issuer is asked about.
const abroad = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		scope user "Use the service"
		scope admin "Administer the service"
		client shop {
			secret ` + shopSecret + `
			grant_types client_credentials
			scopes user
		}
	}
}

http://localhost:{$PORT} {
	oauth2_server
}

http://api.localhost:{$PORT} {
	log
	oauth2_protect {
		issuer {$FOREIGN} {
			audience api {$FOREIGN}
		}
		allow /admin/* admin
		allow /* user
	}
	reverse_proxy {$UPSTREAM}
}

http://asked.localhost:{$PORT} {
	log
	oauth2_protect {
		issuer {$FOREIGN} {
			audience api {$FOREIGN}
			introspect {$FOREIGN}{$INTROSPECT} {
				client_id gate
				client_secret {env.GATE_SECRET}
				cache 1s
			}
		}
		allow /* user
	}
	reverse_proxy {$UPSTREAM}
}

http://home.localhost:{$PORT} {
	log
	oauth2_protect user
	reverse_proxy {$UPSTREAM}
}
`

const gateSecret = "gate-secret-0123456789abcdefghijklmnop"

// foreignIssuer is an authorization server that is not ours.
type foreignIssuer struct {
	asserter
	t       testing.TB
	address string
	server  *httptest.Server // nil while it is down
	fetches atomic.Int32     // of its keys
	asked   atomic.Int32     // about tokens

	mu     sync.Mutex
	answer string // instead of its keys
	about  string // what it says about tokens
}

// newForeignIssuer starts one that ends with the test.
func newForeignIssuer(t testing.TB) *foreignIssuer {
	t.Helper()
	f := &foreignIssuer{t: t, asserter: newAsserter(t, "login"), address: "127.0.0.1:" + freePort(t)}
	f.up()
	t.Cleanup(f.down)
	return f
}

func (f *foreignIssuer) url() string { return "http://" + f.address }

// up has it serve, always at the same address.
func (f *foreignIssuer) up() {
	f.t.Helper()
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.server.Listener = l
	f.server.Start()
}

// down ends it, and all connections to it.
func (f *foreignIssuer) down() {
	if f.server != nil {
		f.server.CloseClientConnections()
		f.server.Close()
		f.server = nil
	}
}

func (f *foreignIssuer) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	answer, about := f.answer, f.about
	f.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, f.url(), f.url()+"/keys")
	case "/keys":
		f.fetches.Add(1)
		switch answer {
		case "":
			answer = f.public()
		case dripping:
			_, _ = io.Copy(flushed{w}, &drip{ctx: r.Context()})
			return
		}
		_, _ = io.WriteString(w, answer)
	case "/introspect":
		f.asked.Add(1)
		_, _ = io.WriteString(w, about)
	default:
		http.NotFound(w, r)
	}
}

// dripping, as its answer, is one that goes on byte by byte until who asked has enough.
const dripping = "…"

// flushed sends at once what is written to it.
type flushed struct{ http.ResponseWriter }

func (f flushed) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	return n, errors.Join(err, http.NewResponseController(f.ResponseWriter).Flush())
}

// set sets what it answers instead of its keys, and says about tokens.
func (f *foreignIssuer) set(answer, about string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.about = answer, about
}

// grant returns the claims of a good token, with others in the place of some.
func (f *foreignIssuer) grant(others map[string]any) map[string]any {
	c := map[string]any{
		"iss": f.url(), "sub": "ann", "aud": "api", "client_id": "shop", "scope": "user", "jti": "1",
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
	}
	maps.Copy(c, others)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// accessToken is the header member of an access token (RFC 9068 §2.1).
var accessToken = map[jose.HeaderKey]any{"typ": "at+jwt"}

// issue signs a good token, with others in the place of some claims.
func (f *foreignIssuer) issue(g *gateway, others map[string]any) string {
	return f.sign(g, f.grant(others), accessToken)
}

// startAbroad starts a gateway that accepts the tokens of f.
func startAbroad(t *testing.T, f *foreignIssuer) (*gateway, *upstream) {
	t.Helper()
	u := newUpstream(t)
	g := start(t, abroad, u.env(), "FOREIGN="+f.url(), "INTROSPECT=/introspect", "GATE_SECRET="+gateSecret)
	g.canary(gateSecret)
	return g, u
}
