// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// everywhere is a guard that takes tokens from every place.
func everywhere(t testing.TB, rows ...string) Config {
	c := testConfig(t, rows...)
	c.Bearer = Sources{Query: true, Form: true, Cookie: "tok"}
	return c
}

// post returns a request with a form.
func post(target, form string, headers ...string) string {
	return lines(append([]string{"POST " + target + " HTTP/1.1", "Host: api.example.com", "Connection: close",
		"Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d", len(form))}, headers...)...) + form
}

func fetch(method, target string, headers ...string) string {
	return lines(append([]string{method + " " + target + " HTTP/1.1", "Host: api.example.com", "Connection: close"}, headers...)...)
}

// Ensure that the same token means the same wherever it comes from, that two are
// refused, and that places which the guard does not look at prove nothing. Rows
// S10, S11, S12 and B24 to B26.
func TestTokensInOtherPlaces(t *testing.T) {
	g := newGateway(t, everywhere(t, "allow /a", "allow /admin admin", "optional /o", "public /p"))
	g.Start()
	const origin = "Origin: https://api.example.com"
	for request, want := range map[string]int{
		fetch("GET", "/a"):                                                                   401,
		fetch("GET", "/a?access_token=user"):                                                 200,
		fetch("GET", "/a?x=1&access%5ftoken=us%65r&y"):                                       200,
		fetch("GET", "/admin?access_token=user"):                                             403,
		fetch("GET", "/a?access_token=bogus"):                                                401,
		fetch("GET", "/a?access_token="):                                                     400,
		fetch("GET", "/a?access_token"):                                                      400,
		fetch("GET", "/a?access_token=us+er"):                                                400,
		fetch("GET", "/a?access_token=%zz"):                                                  400,
		fetch("GET", "/a?access_token=user&access_token=user"):                               400,
		fetch("GET", "/a?access_token="+strings.Repeat("x", MaxCredential+1)):                400,
		fetch("GET", "/a?ACCESS_TOKEN=user"):                                                 401,
		fetch("GET", "/a?access_token=user", "Authorization: Bearer user"):                   400,
		fetch("GET", "/a", "Cookie: tok=\tuser"):                                             400,
		fetch("GET", "/a?access_token=user", "Authorization: Basic dTpw"):                    200,
		fetch("GET", "/o?access_token=bogus"):                                                401,
		fetch("GET", "/p?access_token=bogus"):                                                200,
		post("/a", "access_token=user"):                                                      200,
		post("/a", "a=b&access_token=user&c=d"):                                              200,
		post("/admin", "access_token=user"):                                                  403,
		post("/a", "a=b"):                                                                    401,
		post("/a", ""):                                                                       401,
		post("/a", "access_token=user&access_token=user"):                                    400,
		post("/a", "access_token=user", "Authorization: Bearer user"):                        400,
		post("/a?access_token=user", "access_token=user"):                                    400,
		post("/a", "access_token=user", "Content-Encoding: gzip"):                            401,
		post("/a", "access_token=user", "Content-Type: text/plain"):                          400,
		post("/a", "x="+strings.Repeat("y", MaxForm-2), "Authorization: Bearer user"):        200,
		post("/a", "x="+strings.Repeat("y", MaxForm-1), "Authorization: Bearer user"):        413,
		post("/p", "x="+strings.Repeat("y", MaxForm-1)):                                      200,
		strings.Replace(post("/a", "access_token=user"), "POST", "PUT", 1):                   200,
		strings.Replace(post("/a", "access_token=user"), "POST", "DELETE", 1):                401,
		strings.Replace(post("/a", "access_token=user"), "POST", "GET", 1):                   401,
		strings.Replace(post("/a", "access_token=user"), "urlencoded", "urlencoded; p=q", 1): 200,
		strings.Replace(post("/a", "access_token=user"), "urlencoded", "urlencoded; ;", 1):   200,
		strings.Replace(post("/a", "access_token=user"), "urlencoded", "other", 1):           401,
		fetch("GET", "/a", "Cookie: tok=user"):                                               200,
		fetch("GET", "/a", "Cookie: x=y; tok=user;z"):                                        200,
		fetch("GET", "/admin", "Cookie: tok=user"):                                           403,
		fetch("GET", "/a", "Cookie: tok=bogus"):                                              401,
		fetch("GET", "/a", "Cookie: TOK=user"):                                               401,
		fetch("GET", "/a", "Cookie: tok="):                                                   401,
		fetch("GET", "/a", `Cookie: tok="user"`):                                             400,
		fetch("GET", "/a", "Cookie: tok=user; tok=admin"):                                    400,
		fetch("GET", "/a", "Cookie: tok=user", "Cookie: tok=user"):                           400,
		fetch("GET", "/a", "Cookie: tok=bogus", "Authorization: Bearer user"):                200,
		fetch("GET", "/admin", "Cookie: tok=admin", "Authorization: Bearer user"):            403,
		fetch("GET", "/admin?access_token=user", "Cookie: tok=admin"):                        403,
		post("/a", "access_token=user", "Cookie: tok=bogus"):                                 200,
		post("/a", "", "Cookie: tok=user", origin):                                           200,
		fetch("DELETE", "/o", "Cookie: tok=user"):                                            403,
	} {
		response := g.raw(t, request)
		reached := g.upstream.take()
		if response.StatusCode != want || len(reached) != map[bool]int{true: 1}[want == 200] {
			t.Errorf("%.150q: %d, want %d", request, response.StatusCode, want)
		}
		for _, r := range reached {
			if strings.Contains(r, "tok=") || strings.Contains(strings.SplitN(r, "\r\n", 2)[0], "user") {
				t.Errorf("%.150q reached the service as %q", request, r)
			}
		}
		uncacheable := strings.Contains(request, "?") || strings.Contains(request, "tok=user") // caches heed the header alone
		if private := response.Header.Get("Cache-Control") == "private"; want == 200 && private != uncacheable {
			t.Errorf("%.150q: Cache-Control: %s", request, response.Header.Get("Cache-Control"))
		}
	}
}

// Ensure that what is around a token arrives byte for byte, and that the token
// itself goes on only where that is said, and how.
func TestWhatSurroundsATokenArrives(t *testing.T) {
	config := everywhere(t, "allow /*", "allow /kept/*")
	config.Authenticator = tokens{"t0ken": principal("user")}
	config.Rows[1].Upstream = &Upstream{KeepCredential: true}
	g := newGateway(t, config)
	g.Start()
	form := "a=%zz&&access%5Ftoken=t0ken&\xff=\x00;b"
	chunked := fetch("POST", "/x", "Content-Type: application/x-www-form-urlencoded", "Transfer-Encoding: chunked", "Trailer: X-T, X-Auth-Subject") +
		"5\r\na=b&a\r\n10;x=y\r\nccess_token=t0ke\r\n1\r\nn\r\n0\r\nX-T: kept\r\nX-Auth-Subject: eve\r\n\r\n"
	for request, want := range map[string][2]string{ // something there, something not
		fetch("GET", "/x?&a=%zz&access_token=t0ken&&b;c=d&"): {"GET /x?&a=%zz&&b;c=d& HTTP", "t0ken"},
		fetch("GET", "/x?access_token=t0ken"):                {"GET /x HTTP", "t0ken"},
		fetch("GET", "/kept/x?access_token=t0ken"):           {"\r\nAuthorization: Bearer t0ken\r\n", "access_token"},
		post("/x", form):      {"\r\n\r\n" + form, "Bearer"},
		post("/kept/x", form): {"\r\n\r\n" + form, "Bearer"},
		chunked:               {"a=b&access_token=t0ken\r\n0\r\nX-T: kept", "eve"},
		fetch("GET", "/x", "Cookie: a=b;  tok=t0ken; c=\"d; e\""):   {"\r\nCookie: a=b; c=\"d; e\"\r\n", "t0ken"},
		fetch("GET", "/x", "Cookie: tok=t0ken"):                     {"GET /x", "\r\nCookie"},
		fetch("GET", "/x", "Cookie: a=b", "Cookie: tok =t0ken "):    {"\r\nCookie: a=b\r\n", "t0ken"},
		fetch("GET", "/kept/x", "Cookie: a=b; tok=t0ken"):           {"\r\nCookie: a=b; tok=t0ken\r\n", "Bearer"},
		fetch("GET", "/x?access_token=t0ken", "Authorization: B x"): {"\r\nAuthorization: B x\r\n", "t0ken"},
	} {
		if response := g.raw(t, request); response.StatusCode != 200 {
			t.Errorf("%q: %d", request, response.StatusCode)
			continue
		}
		if got := g.upstream.take()[0]; !strings.Contains(got, want[0]) || strings.Contains(strings.Replace(got, want[0], "", 1), want[1]) {
			t.Errorf("%q arrived as\n%q", request, got)
		}
	}
}

// Ensure that a form whose size nobody announced is measured too.
func TestChunkedFormsAreMeasured(t *testing.T) {
	g := newGuard(t, everywhere(t, "allow /*"))
	for size, status := range map[int]int{MaxForm: 200, MaxForm + 1: 413} {
		r := httptest.NewRequest("POST", "/x", io.MultiReader(strings.NewReader("x="+strings.Repeat("y", size-2)), strings.NewReader("")))
		r.Header.Set("Content-Type", authz.MediaTypeForm)
		r.Header.Set("Authorization", "Bearer user")
		if w, _, err := serve(t, r, g); err != nil || w.Code != status {
			t.Errorf("%d bytes: %d %v", size, w.Code, err)
		}
	}
}

// Ensure that the service behind a public row gets no token, whatever other rows keep.
func TestPublicRowsKeepNoCookie(t *testing.T) {
	config := everywhere(t, "public /*")
	config.Upstream.KeepCredential = true
	r := httptest.NewRequest("GET", "/x?access_token=user", nil)
	r.Header.Set("Cookie", "tok=user")
	if _, seen, err := serve(t, r, newGuard(t, config)); err != nil || len(seen.request.Header) > 0 || seen.request.URL.RawQuery != "" {
		t.Errorf("%v %s %q", err, seen.request.URL, seen.request.Header)
	}
}

// Ensure that guards inside others judge the credential wherever it was found,
// and that one which only they would take makes two.
func TestNestedGuardsAndOtherPlaces(t *testing.T) {
	plain, all := testConfig(t, "optional /*", "public /p/*"), everywhere(t, "allow /*", "allow /p/admin admin")
	public := everywhere(t, "public /*")
	cookies := everywhere(t, "allow /*")
	cookies.Bearer = Sources{Cookie: "tok"}
	request := func(method, target, body string, headers ...string) *http.Request {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", authz.MediaTypeForm)
		}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		return r
	}
	for i, c := range []struct {
		request *http.Request
		guards  []Config
		status  int
	}{
		{request("GET", "/x?access_token=user", ""), []Config{plain, all}, 200},
		{request("GET", "/x?access_token=user", ""), []Config{all, plain}, 200},
		{request("GET", "/x?access_token=user", ""), []Config{all, all}, 200},
		{request("GET", "/x?access_token=user", ""), []Config{public, plain, all}, 200},
		{request("GET", "/p/admin?access_token=user", ""), []Config{public, all}, 403},
		{request("GET", "/x?access_token=user", "", "Authorization: Bearer user"), []Config{plain, all}, 400},
		{request("GET", "/p/x?access_token=user", "", "Authorization: Bearer user"), []Config{plain, all}, 400},
		{request("GET", "/x?access_token=user", "", "Authorization: Bearer user"), []Config{public, all}, 400},
		{request("GET", "/x?access_token=user", "", "Cookie: tok=user"), []Config{cookies, all}, 400},
		{request("POST", "/x", "access_token=user"), []Config{all, all}, 200},
		{request("POST", "/x", "access_token=user"), []Config{plain, all}, 200},
		{request("POST", "/x", "access_token=user"), []Config{public, all}, 200},
		{request("POST", "/x", "access_token=user", "Authorization: Bearer user"), []Config{plain, all}, 400},
		{request("GET", "/x", "", "Cookie: tok=user"), []Config{all, plain, cookies}, 200},
		{request("GET", "/x", "", "Cookie: tok=user"), []Config{public, plain, all}, 200},
		{request("DELETE", "/x", "", "Cookie: tok=user"), []Config{public, plain}, 403},
		{request("GET", "/x", "", "Cookie: tok=admin", "Authorization: Bearer user"), []Config{public, all}, 200},
	} {
		var guards []*Guard
		for _, config := range c.guards {
			guards = append(guards, newGuard(t, config))
		}
		w, seen, err := serve(t, c.request, guards...)
		if err != nil || w.Code != c.status {
			t.Errorf("%d: %d %s %v", i, w.Code, w.Body, err)
		}
		if seen == nil {
			continue
		}
		if seen.principal == nil || seen.principal.Scopes.String() != "user" {
			t.Errorf("%d: %+v", i, seen.principal)
		}
		if seen.request.URL.RawQuery != "" || seen.request.Header.Get("Cookie") != "" || seen.request.Header.Get("Authorization") != "" {
			t.Errorf("%d: %s %q", i, seen.request.URL, seen.request.Header)
		}
	}
}

// Ensure that a refused request, and one that fails further in, leaves no token
// for whatever handles the error.
func TestErrorsLeaveNoToken(t *testing.T) {
	config := everywhere(t, "allow /*", "deny /no")
	config.Upstream.KeepCredential = true
	g := newGuard(t, config)
	for _, target := range []string{"/x", "/no", "//", "/fails"} {
		r := httptest.NewRequest("GET", target+"?a=b&access_token=secret", nil)
		if target == "/fails" {
			r.URL.RawQuery = "a=b&access_token=user"
			r.RequestURI = "/fails?" + r.URL.RawQuery
		}
		r.Header.Set("Cookie", "tok=secret; a=b")
		_ = g.ServeHTTP(httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error { return io.EOF })
		if r.URL.RawQuery != "a=b" || !strings.HasSuffix(r.RequestURI, "?a=b") || r.Header.Get("Cookie") != "a=b" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s: %s %s %q", target, r.URL, r.RequestURI, r.Header)
		}
	}
}

// Ensure that the metadata says where tokens are taken from (RFC 9728 §2).
func TestMetadataNamesThePlaces(t *testing.T) {
	w, _, _ := serve(t, get("GET", "/.well-known/oauth-protected-resource", ""), newGuard(t, everywhere(t, "allow /*")))
	if !strings.Contains(w.Body.String(), `"bearer_methods_supported":["header","body","query"]`) {
		t.Error(w.Body)
	}
}

// Ensure that what a guard without other places does is not changed by them.
func TestOtherPlacesCostNothing(t *testing.T) {
	TestPassingIsCheap(t)
	config := testConfig(t, "allow /*")
	config.Schemes, config.Bearer = []string{"DPoP"}, Sources{Query: true}
	if _, err := New(config); err == nil {
		t.Error("places for a scheme that is not accepted")
	}
}

// FuzzFindToken checks the reader of forms against net/url: it never finds a
// token that a service would not find, nor a single one where that finds two, and
// nothing is left of what it takes out.
func FuzzFindToken(f *testing.F) {
	for _, seed := range []string{"", "access_token=x", "a=b&access%5Ftoken=x&c", "access_token=x&access_token=y", "access_token=%zz", "%61ccess_token=%78+", "a;access_token=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, form string) {
		token, found := findToken(form)
		rest := WithoutToken(form)
		if _, left := findToken(rest); left != absent {
			t.Errorf("%q keeps a token as %q", form, rest)
		}
		if found == absent && rest != form {
			t.Errorf("%q became %q", form, rest)
		}
		values, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		switch got := values[authz.ParamAccessToken]; {
		case len(got) == 0 && found != absent, len(got) > 1 && found != broken, len(got) == 1 && found == present && got[0] != token:
			t.Errorf("%q: found %d %q, a service finds %q", form, found, token, got)
		}
		values.Del(authz.ParamAccessToken)
		if again, _ := url.ParseQuery(rest); again.Encode() != values.Encode() {
			t.Errorf("%q lost something as %q", form, rest)
		}
	})
}
