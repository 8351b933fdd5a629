// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that a client proves itself by an assertion of each algorithm, that
// nothing but what RFC 7523 §3 wants is asked of it, and that clocks may differ a
// little. Rows A08 to A10.
func TestAssertionClaims(t *testing.T) {
	ec := signers()["ES256"]
	w := newWorld(t, build(t, keyed(t, "job", ec)))
	now := time.Now() // for all of them: a second may begin between two
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for name, c := range map[string]struct {
		claims map[string]any
		good   bool
	}{
		"as it should be":             {nil, true},
		"audience, list of one":       {map[string]any{"aud": []string{issuer}}, true},
		"no iat":                      {map[string]any{"iat": nil}, true},
		"a claim of its own":          {map[string]any{"x": map[string]any{"y": 1}}, true},
		"exp with a fraction":         {map[string]any{"exp": float64(in(time.Minute)) + 0.5}, true},
		"iat 8 s ahead":               {map[string]any{"iat": in(8 * time.Second)}, true},
		"nbf 8 s ahead":               {map[string]any{"nbf": in(8 * time.Second)}, true},
		"exp a moment ago":            {map[string]any{"exp": in(-8 * time.Second), "iat": in(-time.Minute)}, true},
		"the longest jti":             {map[string]any{"jti": strings.Repeat("j", MaxAssertionID)}, true},
		"valid for an hour":           {map[string]any{"exp": in(time.Hour)}, true},
		"no audience":                 {map[string]any{"aud": nil}, false},
		"empty audience":              {map[string]any{"aud": ""}, false},
		"empty list of audiences":     {map[string]any{"aud": []string{}}, false},
		"another server":              {map[string]any{"aud": "https://other.example"}, false},
		"another server too":          {map[string]any{"aud": []string{issuer, "https://other.example"}}, false},
		"issuer twice":                {map[string]any{"aud": []string{issuer, issuer}}, false},
		"issuer with a slash":         {map[string]any{"aud": issuer + "/"}, false},
		"issuer in other case":        {map[string]any{"aud": strings.ToUpper(issuer)}, false},
		"token endpoint":              {map[string]any{"aud": issuer + "/oauth/token"}, false},
		"audience of another type":    {map[string]any{"aud": 1}, false},
		"audience, an object":         {map[string]any{"aud": map[string]any{issuer: true}}, false},
		"no exp":                      {map[string]any{"exp": nil}, false},
		"exp as text":                 {map[string]any{"exp": "9999999999"}, false},
		"exp null":                    {map[string]any{"exp": (*int)(nil)}, false},
		"exp 5 min ago":               {map[string]any{"exp": in(-5 * time.Minute), "iat": in(-6 * time.Minute)}, false},
		"exp 31 s ago":                {map[string]any{"exp": in(-31 * time.Second), "iat": in(-time.Minute)}, false},
		"exp years ahead":             {map[string]any{"exp": in(10 * 365 * 24 * time.Hour)}, false},
		"exp beyond all times":        {map[string]any{"exp": 1e300}, false},
		"exp before all times":        {map[string]any{"exp": -1e300}, false},
		"valid for more than an hour": {map[string]any{"exp": in(time.Hour + time.Second), "iat": in(0)}, false},
		"made long ago":               {map[string]any{"iat": in(-2 * time.Hour)}, false},
		"made after its end":          {map[string]any{"exp": in(-20 * time.Second), "iat": in(0)}, false},
		"iat 61 s ahead":              {map[string]any{"iat": in(61 * time.Second), "exp": in(2 * time.Minute)}, false},
		"nbf 61 s ahead":              {map[string]any{"nbf": in(61 * time.Second), "exp": in(2 * time.Minute)}, false},
		"no jti":                      {map[string]any{"jti": nil}, false},
		"empty jti":                   {map[string]any{"jti": ""}, false},
		"jti too long":                {map[string]any{"jti": strings.Repeat("j", MaxAssertionID+1)}, false},
		"jti, a number":               {map[string]any{"jti": 1}, false},
		"no sub":                      {map[string]any{"sub": nil}, false},
		"empty sub":                   {map[string]any{"sub": ""}, false},
		"no iss":                      {map[string]any{"iss": nil}, false},
		"another iss":                 {map[string]any{"iss": "other"}, false},
		"an iss that is a list":       {map[string]any{"iss": []string{"job"}}, false},
	} {
		got, err := w.authenticator().authenticate(t.Context(), nil, asserting(ec.sign(t, said("job", c.claims), nil)), constantTime)
		switch {
		case c.good && (err != nil || got.ID != "job" || !got.Asserted()):
			t.Errorf("%s: %v", name, err)
		case !c.good && (!errors.Is(err, authz.ErrInvalidClient) || got.Client != nil || !sameAnswer(err)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure that the token endpoint's URL is an audience only where that is switched
// on, and then still no other server's.
func TestAssertionForTheTokenURL(t *testing.T) {
	ec := signers()["ES256"]
	w := newWorld(t, build(t, keyed(t, "job", ec)))
	a := w.authenticator()
	a.Audience = append(a.Audience, issuer+"/oauth/token")
	for _, c := range []struct {
		aud  any
		good bool
	}{
		{issuer, true}, {issuer + "/oauth/token", true}, {[]string{issuer, issuer + "/oauth/token"}, true},
		{issuer + "/oauth/revoke", false}, {[]string{issuer + "/oauth/token", "https://other.example/token"}, false},
	} {
		_, err := a.authenticate(t.Context(), nil, asserting(ec.sign(t, said("job", map[string]any{"aud": c.aud}), nil)), constantTime)
		if (err == nil) != c.good {
			t.Errorf("%v: %v", c.aud, err)
		}
	}
}

// Ensure that a signature counts only if it was made with a key of the very
// client, in a way that this client is registered for. Rows A02, J01, J02, J04 and J18.
func TestAssertionSignatures(t *testing.T) {
	all, shared := signers(), signer{key: []byte(strong), alg: "HS256"}
	ec, rs := all["ES256"], all["RS256"]
	pinned := keyed(t, "pinned", all["RS256"])
	pinned.AuthSigningAlg = "PS256"
	w := newWorld(t,
		build(t, keyed(t, "job", ec, all["EdDSA"], rs)),
		build(t, keyed(t, "other", all["EdDSA"])),
		build(t, pinned),
		build(t, declared(func(d *Declaration) { d.ID, d.AuthMethod = "shared", authz.AuthSecretJWT })),
		build(t, declared(func(d *Declaration) { d.ID = "basic" })),
		build(t, declared(func(d *Declaration) { d.ID, d.AuthMethod, d.Disabled = "off", authz.AuthSecretJWT, true })),
		build(t, &Declaration{Client: Client{ID: "app", AuthMethod: "none"}}))
	stored, err := Add(t.Context(), w.db, "admin", Client{ID: "stored", AuthMethod: authz.AuthSecretJWT}, "")
	if err != nil {
		t.Fatal(err)
	}
	without := func(s signer) signer { s.kid = ""; return s }
	named := func(s signer, kid string) signer { s.kid = kid; return s }
	secret := func(key []byte) signer { return signer{key: key, alg: "HS256"} }
	good := ec.sign(t, said("job", nil), nil)
	parts := strings.Split(good, ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

	for name, assertion := range map[string]string{
		"ES256": good, "EdDSA": all["EdDSA"].sign(t, said("job", nil), nil),
		"RS256": rs.sign(t, said("job", nil), nil), "PS256": all["PS256"].sign(t, said("job", nil), nil),
		"no kid":                without(rs).sign(t, said("job", nil), nil),
		"typ JWT":               ec.sign(t, said("job", nil), map[string]any{"typ": "JWT"}),
		"typ jwt":               ec.sign(t, said("job", nil), map[string]any{"typ": "jwt"}),
		"its own typ":           ec.sign(t, said("job", nil), map[string]any{"typ": "client-authentication+jwt"}),
		"its own typ, in full":  ec.sign(t, said("job", nil), map[string]any{"typ": "application/client-authentication+jwt"}),
		"the algorithm it says": all["PS256"].sign(t, said("pinned", nil), nil),
		"a secret":              shared.sign(t, said("shared", nil), nil),
		"a stored secret":       secret([]byte(stored)).sign(t, said("stored", nil), nil),
	} {
		if got, err := w.authenticator().authenticate(t.Context(), nil, asserting(assertion), constantTime); err != nil || !got.Asserted() {
			t.Errorf("%s: %v", name, err)
		}
	}

	for name, assertion := range map[string]string{
		"key of another client":         all["EdDSA"].sign(t, said("pinned", nil), nil),
		"in the name of another client": named(ec, "ed").sign(t, said("other", nil), nil),
		"another algorithm of the key":  rs.sign(t, said("pinned", nil), nil),
		"unknown kid":                   named(ec, "unknown").sign(t, said("job", nil), nil),
		"kid of another key":            named(ec, "rsa").sign(t, said("job", nil), nil),
		"kid as a path":                 named(ec, "../../dev/null").sign(t, said("job", nil), nil),
		"kid as SQL":                    named(ec, "' OR 1=1 --").sign(t, said("job", nil), nil),
		"typ of an access token":        ec.sign(t, said("job", nil), map[string]any{"typ": "at+jwt"}),
		"typ of a DPoP proof":           ec.sign(t, said("job", nil), map[string]any{"typ": "dpop+jwt"}),
		"critical extension":            ec.sign(t, said("job", nil), map[string]any{"crit": []string{"exp"}, "exp": 1}),
		"MAC under the public keys":     secret(public(t, ec, rs)).sign(t, said("job", nil), nil),
		"MAC under nothing":             secret(make([]byte, 32)).sign(t, said("job", nil), nil),
		"MAC of a basic client":         shared.sign(t, said("basic", nil), nil),
		"MAC of a public client":        secret(make([]byte, 32)).sign(t, said("app", nil), nil),
		"MAC of an unknown client":      shared.sign(t, said("nobody", nil), nil),
		"MAC of a disabled client":      shared.sign(t, said("off", nil), nil),
		"MAC under another's secret":    shared.sign(t, said("stored", nil), nil),
		"MAC under the wrong secret":    secret([]byte(strong+"x")).sign(t, said("shared", nil), nil),
		"signature for a secret":        ec.sign(t, said("shared", nil), nil),
		"signature of unknown client":   ec.sign(t, said("nobody", nil), nil),
		"signature of a public client":  ec.sign(t, said("app", nil), nil),
		"none":                          encode(`{"alg":"none"}`) + "." + parts[1] + ".",
		"None with a signature":         encode(`{"alg":"None"}`) + "." + parts[1] + "." + parts[2],
		"alg left out":                  encode(`{"kid":"ec"}`) + "." + parts[1] + "." + parts[2],
		"signature cut off":             parts[0] + "." + parts[1] + ".",
		"other claims":                  parts[0] + "." + encode(`{"iss":"job","sub":"job"}`) + "." + parts[2],
		"too long":                      good + strings.Repeat("A", 8192),
		"a thousand dots":               strings.Repeat(".", 1000),
		"nothing":                       "",
		"not a token":                   "e30.e30.",
		"sub twice":                     ec.sign(t, []byte(`{"sub":"other","iss":"job","aud":"`+issuer+`","jti":"x","exp":9999999999,"sub":"job"}`), nil),
		"id that no client can have":    ec.sign(t, said("a b", nil), nil),
		"key in the header": ec.sign(t, said("other", nil), map[string]any{
			"jwk": map[string]string{"kty": "oct", "k": encode(strong)}, "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert",
		}),
	} {
		got, err := w.authenticator().authenticate(t.Context(), nil, asserting(assertion), constantTime)
		if !errors.Is(err, authz.ErrInvalidClient) || got.Client != nil || !sameAnswer(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure that an assertion is one method of client authentication, and the only
// one of its request. Rows A01 and A02.
func TestAssertionIsTheOnlyMethod(t *testing.T) {
	ec := signers()["ES256"]
	w := newWorld(t, build(t, keyed(t, "job", ec)), build(t, declared(func(d *Declaration) { d.ID = "basic" })),
		build(t, &Declaration{Client: Client{ID: "app", AuthMethod: "none"}}))
	with := func(pairs ...string) url.Values {
		form := asserting(ec.sign(t, said("job", nil), nil))
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	without := func(form url.Values, name string) url.Values { form.Del(name); return form }
	refused := func(name string, form url.Values, want error) {
		t.Helper()
		if _, err := w.authenticator().authenticate(t.Context(), nil, form, constantTime); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.authenticator().authenticate(t.Context(), nil, with("client_id", "job"), constantTime); err != nil {
		t.Errorf("beside its client_id: %v", err)
	}
	if _, err := w.authenticator().authenticate(t.Context(), basic("job", ""), with(), constantTime); !errors.Is(err, authz.ErrInvalidRequest) {
		t.Errorf("beside Basic: %v", err)
	}
	refused("another client_id", with("client_id", "basic"), authz.ErrInvalidRequest)
	refused("a secret", with("client_secret", strong), authz.ErrInvalidRequest)
	refused("an empty secret", with("client_secret", ""), authz.ErrInvalidRequest)
	refused("another type", with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), authz.ErrInvalidClient)
	refused("no type", without(with(), "client_assertion_type"), authz.ErrInvalidClient)
	refused("a type and nothing else", without(with("client_id", "app"), "client_assertion"), authz.ErrInvalidClient)
	refused("an empty one of a public client", with("client_assertion", "", "client_id", "app"), authz.ErrInvalidClient)
	refused("the id alone", url.Values{"client_id": {"job"}}, authz.ErrInvalidClient)
	refused("a secret instead", post("job", strong), authz.ErrInvalidClient)
}

// Ensure that trouble of the store is never called a failed authentication.
func TestAssertionReportsTrouble(t *testing.T) {
	w := newWorld(t)
	secret, err := Add(t.Context(), w.db, "admin", Client{ID: "stored", AuthMethod: authz.AuthSecretJWT}, "")
	if err != nil {
		t.Fatal(err)
	}
	assertion := signer{key: []byte(secret), alg: "HS256"}.sign(t, said("stored", nil), nil)
	w.engine.failing.Store(true)
	if _, err := w.authenticator().authenticate(t.Context(), nil, asserting(assertion), constantTime); !errors.Is(err, authz.ErrTemporarilyUnavailable) {
		t.Errorf("%v", err)
	}
}

// FuzzAssertion holds a client's signed claims against the rules, whatever the
// claims are: who gets through has said all that RFC 7523 §3 wants.
func FuzzAssertion(f *testing.F) {
	ec := signers()["ES256"]
	w := newWorld(f, build(f, keyed(f, "job", ec)))
	for _, text := range []string{
		`{}`, `{"sub":"job"}`, `{"iss":"job","sub":"job","aud":"` + issuer + `","exp":9e9,"jti":"x"}`,
		`{"iss":"job","sub":"job","aud":["` + issuer + `"],"exp":1e1000,"jti":"\u0000"}`, `{"sub":"job","SUB":"other"}`, `[]`, `{"aud":{}}`,
	} {
		f.Add(text, "")
	}
	f.Add("", ec.sign(f, said("job", nil), nil))
	f.Fuzz(func(t *testing.T, payload, raw string) {
		if raw == "" {
			raw = ec.sign(t, []byte(payload), nil)
		}
		got, err := w.authenticator().authenticate(t.Context(), nil, asserting(raw), constantTime)
		if err != nil {
			if !errors.Is(err, authz.ErrInvalidClient) || got.Client != nil || got.Asserted() {
				t.Fatalf("%v", err)
			}
			return
		}
		if got.ID != "job" || !got.Asserted() || got.once.until.After(time.Now().Add(MaxAssertionLifetime+2*AssertionLeeway+2*time.Second)) {
			t.Fatalf("%+v", got.once)
		}
	})
}
