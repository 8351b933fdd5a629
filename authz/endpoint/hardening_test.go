// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
)

// formEndpoints are the endpoints that take a form from a client.
var formEndpoints = []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect"}

// A01: more than one way of client authentication in one request.
func TestTwoClientAuthenticationsAreRefused(t *testing.T) {
	w := newWorld(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("job:"+secret))
	for _, path := range formEndpoints {
		w.send(path, "job", "token=x&grant_type=client_credentials&client_id=job&client_secret="+secret).want(t, path+": header and body", 400, "invalid_request")
		w.send(path, "job", "token=x&grant_type=client_credentials&client_secret=").want(t, path+": header and empty secret", 400, "invalid_request")
		w.send(path, "job", "token=x&grant_type=client_credentials", func(r *http.Request) { r.Header["Authorization"] = []string{basic, basic} }).want(t, path+": two headers", 400, "invalid_request")
		w.send(path, "job", "token=x&grant_type=client_credentials&client_id=other").want(t, path+": two ids", 400, "invalid_request")
		w.send(path, "job", "token=x&grant_type=client_credentials&client_assertion=a.b.c").want(t, path+": header and assertion", 400, "invalid_request")
		w.sendPost(path, "token=x&grant_type=client_credentials&client_assertion=a.b.c").want(t, path+": secret and assertion", 400, "invalid_request")
		w.do(w.request("POST", path, "token=x&grant_type=client_credentials&client_id=app&client_assertion=a.b.c")).want(t, path+": assertion of a public client", 401, "invalid_client")
	}
}

// A03: a confidential client that only names itself, a public one with a secret.
func TestClientTypeIsFixed(t *testing.T) {
	w := newWorld(t)
	for _, path := range formEndpoints {
		for _, body := range []string{"client_id=job", "client_id=other", "client_id=app&client_secret=", "client_id=app&client_secret=made-up"} {
			w.do(w.request("POST", path, "token=x&grant_type=client_credentials&"+body)).want(t, path+" "+body, 401, "invalid_client")
		}
	}
}

// A04: HTTP Basic in the spelling of RFC 6749 and in the raw one, over the wire.
func TestBasicSpellings(t *testing.T) {
	w := newWorld(t)
	for user, want := range map[string]int{"job": 200, "%6Aob": 200, "j%6fb": 200, "job%": 401, "job%zz": 401, "job+": 401} {
		r := w.send("/oauth/token", "job", "grant_type=client_credentials", func(r *http.Request) { r.SetBasicAuth(user, secret) })
		if r.status != want {
			t.Errorf("%s: %d", user, r.status)
		}
	}
}

// A06: secrets in the URL are refused before anything is read, whatever the
// method, and whoever keeps the log is told of it.
func TestSecretsInTheURLAreRefused(t *testing.T) {
	var told atomic.Int32
	w := newWorld(t, func(c *endpoint.Config) { c.SecretInURL = func(*http.Request) { told.Add(1) } })
	raw := w.issue("")
	for _, path := range formEndpoints {
		for _, query := range []string{"client_secret=" + secret, "token=" + raw, "grant_type=client_credentials", "anything"} {
			before := told.Load()
			w.send(path+"?"+query, "job", "grant_type=client_credentials&token="+raw).want(t, path+" "+query, 400, "invalid_request")
			w.do(w.request("GET", path+"?"+query, "")).want(t, path+" GET "+query, 405, "method_not_allowed")
			if told.Load() != before+2 {
				t.Errorf("%s %s: told %d times", path, query, told.Load()-before)
			}
		}
	}
	if !w.alive(raw) {
		t.Error("one of the requests revoked the token")
	}
	w.send("/oauth/token", "job", "grant_type=client_credentials")
	if n := told.Load(); n != 24 {
		t.Errorf("told of a request without query: %d", n)
	}
}

// A07: an unknown client and a wrong secret are the same answer, byte for byte.
// That they cost the same is tested beside client authentication.
func TestUnknownClientAndWrongSecretAreOneAnswer(t *testing.T) {
	w := newWorld(t)
	for _, path := range formEndpoints {
		var first reply
		for i, id := range []string{"nobody", "job", "other", "off", "app", "not%20an%20id"} {
			r := w.send(path, id, "grant_type=client_credentials&token=x", func(r *http.Request) { r.SetBasicAuth(id, "wrong") })
			r.want(t, path+" "+id, 401, "invalid_client")
			r.header.Del("Date")
			if i == 0 {
				first = r
			} else if r.body != first.body || fmt.Sprint(r.header) != fmt.Sprint(first.header) {
				t.Errorf("%s, %s: %v %s; unknown: %v %s", path, id, r.header, r.body, first.header, first.body)
			}
		}
	}
}

// A15: a disabled client is refused at every endpoint.
func TestDisabledClientIsRefusedEverywhere(t *testing.T) {
	w := newWorld(t)
	for _, path := range formEndpoints {
		w.send(path, "off", "grant_type=client_credentials&token=x").want(t, path, 401, "invalid_client")
	}
}

// A18, B10: anything but a form is refused, by media type, not by content.
func TestOnlyFormsAreRead(t *testing.T) {
	w := newWorld(t)
	for media, want := range map[string]int{
		"application/json": 415, "multipart/form-data; boundary=x": 415, "text/plain": 415, "": 415,
		"application/x-www-form-urlencoded, application/json": 415, "application/x-www-form-urlencodedx": 415, "application/x-www-form-urlencoded;": 200,
		"application/x-www-form-urlencoded; charset=utf-8": 200, "Application/X-WWW-Form-URLEncoded": 200,
	} {
		for _, path := range formEndpoints {
			r := w.send(path, "job", "grant_type=client_credentials&token=x", header("Content-Type", media))
			if r.status != want {
				t.Errorf("%s, %q: %d %s", path, media, r.status, r.body)
			}
			if want == 415 {
				r.want(t, path+" "+media, 415, "unsupported_media_type")
			}
		}
	}
	w.send("/oauth/token", "job", "grant_type=client_credentials", func(r *http.Request) {
		r.Header["Content-Type"] = []string{"application/x-www-form-urlencoded", "application/json"}
	}).want(t, "two media types", 415, "unsupported_media_type")
}

// A19: no method but POST, and the answer says so.
func TestOnlyPost(t *testing.T) {
	w := newWorld(t)
	for _, path := range formEndpoints {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post"} {
			r := w.do(w.request(method, path, "grant_type=client_credentials"))
			if r.status != 405 || r.header.Get("Allow") != "POST" {
				t.Errorf("%s %s: %d, Allow %q", method, path, r.status, r.header.Get("Allow"))
			}
		}
	}
}

// A21: a client cannot revoke another's token, and learns so.
func TestForeignTokenIsNotRevoked(t *testing.T) {
	w := newWorld(t)
	raw := w.issue("")
	w.sendPost("/oauth/revoke", "token="+raw).want(t, "another client", 400, "invalid_grant")
	w.do(w.request("POST", "/oauth/revoke", "client_id=app&token="+raw)).want(t, "a public client", 400, "invalid_grant")
	if !w.alive(raw) {
		t.Error("revoked")
	}
}

// B05: an endless body is refused once the limit is read, however it is framed.
func TestEndlessBodyIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, path := range formEndpoints {
		pad := "grant_type=client_credentials&token=x&x="
		exact := pad + strings.Repeat("a", endpoint.MaxBody-len(pad))
		if r := w.send(path, "job", exact); r.status != 200 {
			t.Errorf("%s: the longest body allowed: %d", path, r.status)
		}
		w.send(path, "job", exact+"a").want(t, path+": one byte more", 413, "request_too_large")

		// The server must answer although the body has not ended and never will.
		for name, framed := range map[string]string{
			"declared": "Content-Length: 10737418240\r\n\r\n",
			"chunked":  fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", endpoint.MaxBody+1, exact+"a"),
		} {
			if status := w.raw("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" + framed); status != 413 {
				t.Errorf("%s, %s: %d", path, name, status)
			}
		}
	}
}

// raw sends bytes over a connection of their own and returns the answer's status.
func (w *world) raw(request string) int {
	w.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	// The server may have answered and hung up before all is written.
	_, _ = io.WriteString(conn, request)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// B06: very many parameters, scopes and resources are refused at little cost.
func TestManyParametersAreRefusedCheaply(t *testing.T) {
	w := newWorld(t)
	for name, body := range map[string]string{
		"parameters": strings.Repeat("&a=", endpoint.MaxBody/3-20),
		"separators": strings.Repeat("&", endpoint.MaxBody-100),
		"scopes":     "&scope=" + strings.Repeat("a+", endpoint.MaxBody/2-50),
		"resources":  strings.Repeat("&resource=a:b", endpoint.MaxBody/13-20),
	} {
		body = "grant_type=client_credentials" + body
		w.send("/oauth/token", "job", body) // warm
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := w.send("/oauth/token", "job", body)
		runtime.ReadMemStats(&after)
		if r.status != 400 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		// Both ends of the connection run here, so this counts the client's part too.
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, spent)
		}
	}
}

// B09: a compressed body is refused, not unpacked.
func TestCompressedBodyIsRefused(t *testing.T) {
	w := newWorld(t)
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	if _, err := io.Copy(zip, io.LimitReader(zeros{}, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range formEndpoints {
		for _, encoding := range []string{"gzip", "deflate", "br", "identity, gzip"} {
			w.send(path, "job", bomb.String(), header("Content-Encoding", encoding)).want(t, path+" "+encoding, 415, "unsupported_media_type")
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// RFC 8470 §5.2: what can be replayed is not acted upon.
func TestEarlyDataIsRefused(t *testing.T) {
	w := newWorld(t, func(c *endpoint.Config) {
		c.EarlyData = func(r *http.Request) bool { return r.Header.Get("Early-Data") == "1" }
	})
	raw := w.issue("")
	for _, path := range formEndpoints {
		w.send(path, "job", "grant_type=client_credentials&token="+raw, header("Early-Data", "1")).want(t, path, 425, "too_early")
	}
	if !w.alive(raw) {
		t.Error("revoked")
	}
}

// L03: no answer and no event holds a secret that a request carried.
func TestAnswersAndEventsHoldNoSecret(t *testing.T) {
	w := newWorld(t)
	const canary = "canary-9f2c"
	for _, path := range formEndpoints {
		for _, body := range []string{
			"token=" + canary, "grant_type=" + canary, "grant_type=client_credentials&scope=" + canary, "grant_type=client_credentials&resource=" + canary,
			"client_secret=" + canary, "x=%" + canary, canary + "=1&" + canary + "=2",
		} {
			r := w.send(path, "job", body)
			if strings.Contains(r.body+fmt.Sprint(r.header), canary) {
				t.Errorf("%s %s: %s", path, body, r.body)
			}
		}
		w.do(w.request("POST", path, "client_id=job&client_secret="+canary))
		w.send(path, "job", "token=x", func(r *http.Request) { r.SetBasicAuth(canary, canary) })
	}
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	if len(w.events.kept) == 0 || strings.Contains(fmt.Sprintf("%+v", w.events.kept), canary) {
		t.Errorf("events: %+v", w.events.kept)
	}
}

// A client that gives up while the store is slow is trouble, not a decision.
func TestAbandonedRequestIsNotDecided(t *testing.T) {
	w := newWorld(t)
	abandoned := context.Canceled
	w.engine.failReads.Store(&abandoned)
	w.send("/oauth/revoke", "job", "token="+strings.Repeat("a", 5)).want(t, "no look-up needed", 200, "")
	w.send("/oauth/token", "job", "grant_type=client_credentials").trouble(t, "token")
	if e := w.events.last(); e.Outcome != authz.Failed {
		t.Errorf("%+v", e)
	}
}
