// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Ensure that a request hidden behind another one's body is never taken for a
// request of its own by the upstream, however its framing is garbled. Row B01.
func TestSmuggledRequestsNeverReachTheUpstream(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	user := g.shopToken("user")
	hidden := "GET /admin/smuggled HTTP/1.1\r\nHost: admin.localhost\r\n\r\n"
	for name, framing := range map[string]string{
		"CL and TE":         "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"TE and CL":         fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n0\r\n\r\n%s", 5+len(hidden), hidden),
		"two TE":            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"TE list":           "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
		"odd TE":            "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"TE with tab":       "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + hidden,
		"TE with space":     "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two CL":            fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n%s", len(hidden), hidden),
		"signed CL":         "Content-Length: +0\r\n\r\n" + hidden,
		"CL list":           fmt.Sprintf("Content-Length: 0, %d\r\n\r\n%s", len(hidden), hidden),
		"chunk LF":          "Transfer-Encoding: chunked\r\n\r\n0\n\r\n" + hidden,
		"chunk extension":   "Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n" + hidden,
		"chunk size":        "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" + hidden,
		"chunk overflow":    "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n" + hidden,
		"folded TE":         "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + hidden,
		"bare LF":           "X: y\nContent-Length: 0\n\n" + hidden,
		"bare CR":           "X: y\rContent-Length: 0\r\n\r\n" + hidden,
		"NUL in name":       "X\x00: y\r\n\r\n" + hidden,
		"space in name":     "X y: z\r\nContent-Length: 0\r\n\r\n" + hidden,
		"expect":            fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", len(hidden), hidden),
		"body of a refused": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(hidden), hidden),
	} {
		for _, credential := range []string{"Bearer " + user, "Bearer none"} {
			before := u.count()
			g.wire("POST /x HTTP/1.1\r\nHost: admin.localhost:" + g.port + "\r\nAuthorization: " + credential + "\r\n" + framing)
			for _, h := range u.hits()[before:] {
				if h.Method != http.MethodPost || h.URL.Path != "/x" {
					t.Errorf("%s: the upstream took for a request: %q", name, h.Raw)
				}
			}
		}
	}
	if got := g.call("admin.localhost", "/x", user); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
}

// endless is a body that never ends and counts what was taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.taken.Add(int64(len(p)))
	return len(p), nil
}

// Ensure that an endpoint stops reading a body that never ends. Row B05.
func TestEndlessBodyIsCutOff(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	for _, endpoint := range formEndpoints {
		body := new(endless)
		conn := g.dial()
		if err := conn.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost:%s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
			"Authorization: Basic %s\r\nContent-Length: 10000000000\r\n\r\ntoken=", endpoint, g.port, basic("shop", shopSecret))); err != nil {
			t.Fatal(err)
		}
		copied := make(chan struct{})
		go func() {
			defer close(copied)
			_, _ = io.Copy(conn, body) // ends when the gateway closes the connection
		}()
		resp, err := conn.response()
		if err != nil {
			t.Errorf("%s: %v", endpoint, err)
		} else {
			resp.Body.Close()
			if resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: %d", endpoint, resp.StatusCode)
			}
		}
		conn.ends(patience)
		conn.Close()
		<-copied
		// 64 KiB are read at most; the rest is what sockets buffer on the way.
		if taken := body.taken.Load(); taken > 16<<20 {
			t.Errorf("%s: took %d bytes", endpoint, taken)
		}
	}
}

// Ensure that forms of very many or very long parameters are refused, quickly,
// and do not hurt others. Rows B06 and B07.
func TestEnormousFormsAreRefusedQuickly(t *testing.T) {
	g, _ := startGuarded(t)
	many := func(format string, n int) string {
		var b strings.Builder
		b.WriteString("grant_type=client_credentials")
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, body := range map[string]string{
		"parameters":     many("&p%d=1", 100_000),
		"few kilobytes":  many("&p%d=", 5_000),
		"scopes":         many("", 0) + "&scope=" + strings.Repeat("user+", 100_000),
		"short scopes":   many("", 0) + "&scope=" + strings.Repeat("a+", 20_000),
		"resources":      many("&resource=http%%3A%%2F%%2Fx%d.localhost", 10_000),
		"some resources": many("&resource=http%%3A%%2F%%2Fx%d.localhost", 1_000),
		"long value":     many("", 0) + "&scope=" + strings.Repeat("a", 60_000),
		"ampersands":     many("", 0) + strings.Repeat("&", 60_000),
		"nesting":        many("", 0) + strings.Repeat("&a[b][c]=1", 5_000),
	} {
		began := time.Now()
		a := g.request("POST", "localhost", "/oauth/token", body, formType, "Authorization: Basic "+basic("shop", shopSecret))
		if took := time.Since(began); took > 10*time.Second { // catastrophes only: see TestEnormousPaths…
			t.Errorf("%s: took %v", name, took)
		}
		if a.status != http.StatusBadRequest && a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %.200s", name, a.status, a.body)
		}
	}
	cookies := "Cookie: " + strings.Repeat("a=b; ", 100_000)
	if a := g.get("api.localhost", "/x", cookies); a.status != http.StatusRequestHeaderFieldsTooLarge && a.status != http.StatusBadRequest {
		t.Errorf("cookies: %d", a.status)
	}
	if got := g.call("api.localhost", "/x", g.shopToken("user")); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
}

// Ensure that an endpoint does not unpack what a client packed. Row B09.
func TestCompressedFormIsRefused(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	var packed strings.Builder
	z := gzip.NewWriter(&packed)
	_, err := io.WriteString(z, "grant_type=client_credentials&scope="+strings.Repeat("a", 10<<20))
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for _, endpoint := range formEndpoints {
		for _, encoding := range []string{"gzip", "deflate", "br", "x-gzip", "gzip, gzip", "zstd"} {
			a := g.request("POST", "localhost", endpoint, packed.String(), formType, "Content-Encoding: "+encoding,
				"Authorization: Basic "+basic("shop", shopSecret))
			if a.status != http.StatusUnsupportedMediaType && a.status != http.StatusBadRequest && a.status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, %s: %d", endpoint, encoding, a.status)
			}
		}
	}
}

// Ensure that a body of another type is refused unread, multipart among them.
// Rows B10 and A18.
func TestBodiesThatAreNoFormsAreRefused(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	auth := "Authorization: Basic " + basic("shop", shopSecret)
	form := "grant_type=client_credentials&scope=user"
	for _, contentType := range []string{"application/json", "multipart/form-data; boundary=x", "text/plain", "text/plain; application/x-www-form-urlencoded",
		"application/x-www-form-urlencodedx", "", "application/xml"} {
		lines := []string{auth}
		if contentType != "" {
			lines = append(lines, "Content-Type: "+contentType)
		}
		for _, endpoint := range formEndpoints {
			a := g.request("POST", "localhost", endpoint, form, lines...)
			if a.status != http.StatusUnsupportedMediaType && a.status != http.StatusBadRequest {
				t.Errorf("%s, %q: %d", endpoint, contentType, a.status)
			}
		}
	}
	for _, contentType := range []string{"application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-URLencoded"} {
		if a := g.request("POST", "localhost", "/oauth/token", form, auth, "Content-Type: "+contentType); a.status != http.StatusOK {
			t.Errorf("%q: %d %s", contentType, a.status, a.body)
		} else {
			g.remember(a)
		}
	}
	// Names that other languages read as structures are only names.
	a := g.request("POST", "localhost", "/oauth/token", form+"&scope[]=admin&scope[0]=admin&grant_type[x]=y", auth, formType)
	if a.status != http.StatusOK || strings.Contains(a.body, "admin") {
		t.Errorf("nested names: %d %s", a.status, a.body)
	}
	g.remember(a)
}

// Ensure that clients which dawdle over the header or the body of a token request do
// not keep others from theirs, and that Caddy's time limits, which the documentation
// asks for, end them. Row B04.
func TestSlowRequestsDoNotBlockOthers(t *testing.T) {
	const limits = "import {$HARNESS}\n\tservers {\n\t\ttimeouts {\n\t\t\tread_header 2s\n\t\t\tread_body 3s\n\t\t}\n\t}"
	u := newUpstream(t)
	g := start(t, strings.Replace(guarded, "import {$HARNESS}", limits, 1), u.env())
	var slow []*stream
	for i := range 200 {
		request := "POST /oauth/token HTTP/1.1\r\nHost: localhost:" + g.port + "\r\n" + formType + "\r\nContent-Length: 1000\r\n"
		if i%2 == 0 {
			request += "\r\ngrant"
		}
		conn := g.dial()
		if err := conn.send(request); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
	}
	began := time.Now()
	token := g.shopToken("user")
	if got := g.call("api.localhost", "/x", token); got != http.StatusOK {
		t.Errorf("call: %d", got)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("took %v", took)
	}
	for i, conn := range slow {
		if !conn.ends(patience) {
			t.Fatalf("the slow request %d is still waited for", i)
		}
	}
}

// Ensure that secrets in the query are refused and reach neither the upstream nor
// a log: they would be in histories and logs everywhere. Rows A06, S11 and S12.
func TestSecretsInTheQueryAreRefused(t *testing.T) {
	t.Parallel()
	g, u := startGuarded(t)
	good := g.shopToken("user")
	form := "grant_type=client_credentials&scope=user"
	refresh, assertion := g.canary("a-refresh-token-in-a-query"), g.canary("an-assertion-in-a-query")
	for _, query := range []string{"client_id=shop&client_secret=" + shopSecret, "client_secret=" + shopSecret, "access_token=" + good, form,
		"refresh_token=" + refresh, "client_assertion=" + assertion} {
		a := g.request("POST", "localhost", "/oauth/token?"+query, form, formType)
		if a.status != http.StatusBadRequest && a.status != http.StatusUnauthorized {
			t.Errorf("token request: %d", a.status)
		}
		a = g.request("POST", "localhost", "/oauth/token?client_secret="+shopSecret, form, formType, "Authorization: Basic "+basic("shop", shopSecret))
		if a.status != http.StatusBadRequest {
			t.Errorf("secret in the query beside Basic: %d", a.status)
		}
	}
	for _, endpoint := range []string{"/oauth/revoke", "/oauth/introspect"} {
		a := g.request("POST", "localhost", endpoint+"?token="+good, "x=y", formType, "Authorization: Basic "+basic("shop", shopSecret))
		if a.status != http.StatusBadRequest {
			t.Errorf("%s with the token in the query: %d", endpoint, a.status)
		}
	}
	untouched(t, u, func() {
		for _, lines := range [][]string{nil, {"Authorization: Bearer bad"}} {
			if a := g.get("api.localhost", "/x?access_token="+good, lines...); a.status != http.StatusUnauthorized && a.status != http.StatusBadRequest {
				t.Errorf("token in the query of a call: %d", a.status)
			}
		}
		for _, query := range []string{"refresh_token=" + refresh, "client_assertion=" + assertion, "Refresh%5ftoken=" + refresh, "a=b;client_assertion=" + assertion} {
			if a := g.get("api.localhost", "/x?"+query); a.status != http.StatusUnauthorized {
				t.Errorf("%s in the query of a call: %d", query, a.status)
			}
		}
		body := url.Values{"access_token": {good}}.Encode()
		if a := g.request("POST", "api.localhost", "/x", body, formType); a.status != http.StatusUnauthorized {
			t.Errorf("token in the form of a call: %d", a.status)
		}
	})
}

// formEndpoints are the endpoints that take a form from a client.
var formEndpoints = []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par"}

const formType = "Content-Type: application/x-www-form-urlencoded"
