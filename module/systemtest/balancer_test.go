// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// balancer starts what ends TLS in front of a gateway and hands requests on as
// they came, and returns a client that gets to it by any name.
func (g *gateway) balancer() *http.Client {
	g.t.Helper()
	s := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: "127.0.0.1:" + g.port})
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Forwarded-For", "203.0.113.7")
		r.Out.Header.Set("X-Forwarded-Proto", "https")
		r.Out.Header.Set("X-Real-Ip", "203.0.113.7")
	}})
	g.t.Cleanup(s.Close)
	client := s.Client()
	transport := client.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, s.Listener.Addr().String())
	}
	transport.TLSClientConfig.ServerName = "example.com" // what the server's certificate is for
	g.t.Cleanup(transport.CloseIdleConnections)
	client.Transport = transport
	return client
}

// Ensure that the set-up that the documentation shows for TLS that ends at a
// balancer works: metadata and tokens name the https addresses, the service
// learns what the balancer says of the client, and whoever is not the balancer
// cannot say such things.
func TestTLSEndsAtTheBalancer(t *testing.T) {
	t.Parallel()
	g, u := prepare(t, ""), newUpstream(t)
	const secret = "balanced-secret-0123456789abcdefghijklmn"
	g.write("shop", g.canary(secret)+"\n")
	here := strings.NewReplacer("legacy:8080", u.address, "/run/secrets/", g.path("")+"/", "10.0.0.0/24", "127.0.0.1/32",
		"http://auth.example.com", "http://auth.example.com:"+g.port, "http://api.example.com", "http://api.example.com:"+g.port)
	shown := here.Replace(snippets(t, "docs/operations.md", "caddyfile")[0])
	g.write("Caddyfile", strings.Replace(shown, "{\n", "{\n\timport {$HARNESS}\n", 1))
	g.start()
	client := g.balancer()
	send := func(method, address, body string, header http.Header) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}

	if status, text := send("GET", "https://auth.example.com/.well-known/oauth-authorization-server", "", http.Header{}); status != http.StatusOK ||
		!strings.Contains(text, `"token_endpoint":"https://auth.example.com/oauth/token"`) {
		t.Errorf("%d %s", status, text)
	}
	if status, text := send("GET", "https://api.example.com/.well-known/oauth-protected-resource", "", http.Header{}); status != http.StatusOK ||
		!strings.Contains(text, `"resource":"https://api.example.com"`) {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := send("GET", "https://auth.example.com/oauth/health", "", http.Header{}); status != http.StatusOK {
		t.Errorf("health: %d", status)
	}
	status, text := send("POST", "https://auth.example.com/oauth/token", "grant_type=client_credentials&resource=https%3A%2F%2Fapi.example.com", http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Basic " + basic("shop", secret)}})
	tokens := groups(text, `"access_token":"([^"]+)"`)
	if status != http.StatusOK || len(tokens) != 1 {
		t.Fatalf("%d %s", status, text)
	}
	token := http.Header{"Authorization": {"Bearer " + g.canary(tokens[0])}}
	if status, text := send("GET", "https://api.example.com/orders/1", "", token); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	told := func() string {
		h := u.last().Header
		return h.Get("X-Forwarded-Proto") + " " + h.Get("X-Forwarded-For") + " " + h.Get("X-Real-Ip")
	}
	if got := told(); got != "https 203.0.113.7, 127.0.0.1 203.0.113.7" {
		t.Errorf("the service learns %q", got)
	}

	// The same words from somebody who is not the balancer.
	g.write("Caddyfile", strings.ReplaceAll(mustRead(t, g.path("Caddyfile")), "127.0.0.1/32", "192.0.2.1/32"))
	g.mustReload(mustRead(t, g.path("Caddyfile")))
	if status, text := send("GET", "https://api.example.com/orders/1", "", token); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if got := told(); got != "http 127.0.0.1 " {
		t.Errorf("the service believes a stranger: %q", got)
	}
}
