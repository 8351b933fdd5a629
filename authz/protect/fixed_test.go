// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// ownAccount is an upstream with the gateway's own key and account.
func ownAccount() *Upstream {
	return &Upstream{Static: map[string]string{"X-Api-Key": "k3y"}, Basic: &Basic{Username: "gateway", Password: "pass:wörd"}}
}

const ownAuthorization = "Basic Z2F0ZXdheTpwYXNzOnfDtnJk"

// Ensure that the gateway's own account goes with callers that were proved, with
// others only where the row says so itself, and that nobody sends one of theirs.
// Rows H01 and H11.
func TestOwnAccountAtTheService(t *testing.T) {
	usual := testConfig(t, "allow /a", "optional /o", "public /p", "allow /plain", "public /own", "optional /own/o")
	usual.Upstream = *ownAccount()
	usual.Rows[3].Upstream = &Upstream{}
	usual.Rows[4].Upstream, usual.Rows[5].Upstream = ownAccount(), ownAccount()
	g := newGuard(t, usual)
	for request, own := range map[string]bool{
		"/a": true, "/o": true, "/plain": false, "/p": false, "/own": true, "/own/o": true,
	} {
		for _, token := range []string{"user", ""} {
			r := get("GET", request, token)
			r.Header.Add("X-Api-Key", "forged")
			r.Header.Add("X_Api_Key", "forged")
			_, seen, err := serve(t, r, g)
			if err != nil {
				t.Fatal(err)
			}
			want := own
			switch {
			case token == "" && (request == "/a" || request == "/plain"):
				if seen != nil {
					t.Errorf("%s without a token passes", request)
				}
				continue
			case token == "" && request == "/o":
				want = false
			}
			if seen == nil {
				t.Errorf("%s with %q does not pass", request, token)
				continue
			}
			h := seen.request.Header
			if got := h.Get("X-Api-Key") == "k3y" && h.Get("Authorization") == ownAuthorization; got != want || !want && (h.Get("X-Api-Key") != "" || h.Get("Authorization") != "") || h.Get("X_Api_Key") != "" {
				t.Errorf("%s with %q: %q", request, token, h)
			}
			if vouched := token != "" && request != "/p" && request != "/own"; (seen.principal != nil) != vouched {
				t.Errorf("%s with %q: %+v", request, token, seen.principal)
			}
		}
	}
}

// Ensure that a caller's own Basic credential does not take the place of the
// gateway's, and is what it was where the gateway has none.
func TestCallersBasicDoesNotStandInForOurs(t *testing.T) {
	config := testConfig(t, "public /own", "public /p")
	config.Rows[0].Upstream = ownAccount()
	g := newGuard(t, config)
	for path, want := range map[string]string{"/own": ownAuthorization, "/p": "Basic ZXZlOmV2ZQ=="} {
		r := get("GET", path, "")
		r.Header.Set("Authorization", "Basic ZXZlOmV2ZQ==")
		if _, seen, _ := serve(t, r, g); seen.request.Header.Get("Authorization") != want {
			t.Errorf("%s: %q", path, seen.request.Header)
		}
	}
}

// Ensure that of nested guards only the innermost's account goes on, that the
// inner one decides on the caller's credential, and that errors leave nothing.
func TestOwnAccountAndNestedGuards(t *testing.T) {
	outer := testConfig(t, "allow /a", "public /p", "optional /o")
	for i := range outer.Rows {
		outer.Rows[i].Upstream = &Upstream{Static: map[string]string{"X-Outer": "1"}, Basic: &Basic{Username: "outer", Password: "outer"}}
	}
	inner := testConfig(t, "allow /* user", "optional /o")
	plain, own := newGuard(t, inner), inner
	own.Upstream = *ownAccount()
	for path, anonymous := range map[string]int{"/a": 401, "/p": 401, "/o": 200} {
		for token, status := range map[string]int{"user": 200, "bogus": 401, "": anonymous} {
			w, seen, err := serve(t, get("GET", path, token), newGuard(t, outer), plain)
			if err != nil || w.Code != status || seen != nil && (seen.request.Header.Get("Authorization") != "" || seen.request.Header.Get("X-Outer") != "" || (seen.principal != nil) != (token != "")) {
				t.Errorf("%s with %q: %d %+v %v", path, token, w.Code, seen, err)
			}
		}
		if _, seen, _ := serve(t, get("GET", path, "user"), newGuard(t, outer), newGuard(t, own)); seen.request.Header.Get("Authorization") != ownAuthorization || seen.request.Header.Get("X-Outer") != "" {
			t.Errorf("%s: %q", path, seen.request.Header)
		}
		r := get("GET", path, "user")
		_ = newGuard(t, outer).ServeHTTP(httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error { return errors.New("bad gateway") })
		if len(r.Header) > 0 {
			t.Errorf("%s: an error leaves %q", path, r.Header)
		}
	}
}

// Ensure that claims become headers that nothing can split, and that lists are
// the only ones with commas. Row H07.
func TestFactsFromClaims(t *testing.T) {
	config := testConfig(t, "allow /*")
	config.Upstream = Upstream{Headers: map[string]Fact{
		"X-Issuer": FactIssuer, "X-Groups": FactGroups, "X-Grant": FactGrant, "X-Expires": FactExpires,
		"X-Tier": "claim.tier", "X-Level": "claim.level", "X-Object": "claim.object", "X-None": "claim.none", "X-Sub": "claim.sub",
	}}
	config.Authenticator = tokens{"user": claiming(map[string]any{
		"groups": []any{"staff", "a,b", "x\r\ny", "", map[string]any{}, true}, "tier": "go ld\x00", "level": uint64(7),
		"object": map[string]any{"a": "b"}, "sub": "eve",
	})}
	r := get("GET", "/x", "user")
	r.Header.Set("X-None", "forged")
	_, seen, err := serve(t, r, newGuard(t, config))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Issuer": testIssuer, "X-Groups": "staff,a%2Cb,x%0D%0Ay,true", "X-Grant": "g-1", "X-Expires": "1795266000",
		"X-Tier": "go ld%00", "X-Level": "7", "X-Object": "", "X-None": "", "X-Sub": "u-17",
	} {
		if got := seen.request.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	huge := make([]any, 10000)
	for i := range huge {
		huge[i] = "group"
	}
	config.Authenticator = tokens{"user": claiming(map[string]any{"groups": huge})}
	if w, seen, _ := serve(t, get("GET", "/x", "user"), newGuard(t, config)); w.Code != 403 || seen != nil {
		t.Errorf("a header that is too long: %d", w.Code)
	}
	config.Authenticator = tokens{"user": changed(func(p *authz.Principal) { p.Claims = nil })}
	if w, _, _ := serve(t, get("GET", "/x", "user"), newGuard(t, config)); w.Code != 200 {
		t.Errorf("no claims: %d", w.Code)
	}
}

// Ensure that a guard which has put its own account on an anonymous request does not
// make somebody of nobody, for those further in who only ask.
func TestAttackAnonymousWithTheGatewaysAccount(t *testing.T) {
	config := testConfig(t, "public /*")
	config.Rows[0].Upstream = ownAccount()
	outer, inner := newGuard(t, config), newGuard(t, testConfig(t, "allow /* user"))
	w := httptest.NewRecorder()
	err := outer.ServeHTTP(w, get("GET", "/x", ""), func(w http.ResponseWriter, r *http.Request) error {
		p, err := inner.Examine(w, r)
		if p != nil {
			t.Errorf("%+v", p)
		}
		return err
	})
	if !errors.Is(err, authz.ErrCredentialRequired) || strings.Contains(w.Header().Get("WWW-Authenticate"), "error=") {
		t.Errorf("%v %q", err, w.Header())
	}
}
