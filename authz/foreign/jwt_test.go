// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	library "github.com/go-jose/go-jose/v4"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that a token tells what its issuer says: who, for whom, for what, until
// when; and that what it says is found in the same places for issuers that put it
// elsewhere.
func TestTokensOfManyIssuers(t *testing.T) {
	w := newWorld(t)
	for name, one := range map[string]struct {
		change                  func(*Issuer)
		typ                     string
		claims                  claims
		subject, client, scopes string
	}{
		"RFC 9068":                     {nil, "at+jwt", nil, "ann", "app", "read write"},
		"RFC 9068, in full, any case":  {nil, "Application/AT+JWT", nil, "ann", "app", "read write"},
		"a machine's":                  {nil, "at+jwt", claims{"sub": "app"}, "", "app", "read write"},
		"no scope":                     {nil, "at+jwt", claims{"scope": nil}, "ann", "app", ""},
		"Okta":                         {generic, "", claims{"client_id": nil, "cid": "app", "scope": nil, "scp": []string{"write", "read"}}, "ann", "app", "read write"},
		"Microsoft, a user's":          {generic, "JWT", claims{"client_id": nil, "azp": "app", "scope": nil, "scp": "read write"}, "ann", "app", "read write"},
		"Microsoft, first version":     {generic, "JWT", claims{"client_id": nil, "appid": "app", "scope": nil, "scp": "read"}, "ann", "app", "read"},
		"Microsoft, an application's":  {func(i *Issuer) { i.Profile, i.ScopeClaim = ProfileGeneric, "roles" }, "JWT", claims{"client_id": nil, "azp": "app", "idtyp": "app", "scope": nil, "roles": []string{"read"}}, "", "app", "read"},
		"Keycloak, with nonce":         {generic, "JWT", claims{"client_id": nil, "azp": "app", "typ": "Bearer", "nonce": "x", "aud": []string{"account", "api"}}, "ann", "app", "read write"},
		"Auth0, a machine's":           {generic, "JWT", claims{"client_id": nil, "azp": "app", "sub": "app@clients", "gty": "client-credentials"}, "", "app", "read write"},
		"Cognito":                      {generic, "", claims{"token_use": "access"}, "ann", "app", "read write"},
		"words that are no scopes":     {nil, "at+jwt", claims{"scope": `read "x" ` + strings.Repeat("l", 200)}, "ann", "app", "read"},
		"dates with fractions":         {nil, "at+jwt", claims{"exp": float64(w.now().Unix()) + 0.5}, "ann", "app", "read write"},
		"one second before its leeway": {nil, "at+jwt", claims{"exp": w.now().Unix() - 29, "nbf": w.now().Unix() + 30}, "ann", "app", "read write"},
	} {
		header := map[string]any{}
		if one.typ != "" {
			header["typ"] = one.typ
		}
		p := passes(t, w.set(one.change), w.sign(w.claims(one.claims), header), name)
		if p.Issuer != w.server.URL || p.Subject != one.subject || p.Client != one.client || p.Scopes.String() != one.scopes || !slices.Contains(p.Audience, "api") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// Ensure that what is not an access token for us from that issuer at this time
// is refused, whoever signed it (rows S01, S02, S05, S07, S19).
func TestOtherTokensAreRefused(t *testing.T) {
	w := newWorld(t)
	second := w.now().Unix()
	for name, changes := range map[string]claims{
		"no client_id": {"client_id": nil}, "client_id elsewhere": {"client_id": nil, "azp": "app"}, "empty client_id": {"client_id": ""},
		"no sub": {"sub": nil}, "empty sub": {"sub": ""}, "sub of another type": {"sub": 7},
		"no aud": {"aud": nil}, "aud of another type": {"aud": 7}, "aud of mixed types": {"aud": []any{"api", 7}},
		"no exp": {"exp": nil}, "expired": {"exp": second - 30}, "exp as text": {"exp": "2100000000"}, "exp beyond time": {"exp": 1e300}, "negative exp": {"exp": -1},
		"not yet": {"nbf": second + 31}, "made later": {"iat": second + 31},
		"another issuer": {"iss": ours}, "a slash more": {"iss": w.server.URL + "/"}, "no iss": {"iss": nil},
		"scope of another type": {"scope": 7}, "too long": {"sub": strings.Repeat("x", maxText+1)},
	} {
		refuses(t, w.set(nil), w.sign(w.claims(changes), at), name, authz.ErrInvalidToken)
	}
	for name, header := range map[string]map[string]any{
		"no typ": {}, "typ JWT": {"typ": "JWT"}, "a client's assertion": {"typ": "client-authentication+jwt"}, "a logout token": {"typ": "logout+jwt"},
		"almost": {"typ": "at+jwt "}, "not the prefix": {"typ": "text/at+jwt"},
	} {
		refuses(t, w.set(nil), w.sign(w.claims(nil), header), name, authz.ErrInvalidToken)
	}
	for name, changes := range map[string]claims{
		"an ID token":         {"scope": nil, "client_id": nil, "azp": "app", "nonce": "x"},
		"one with scopes":     {"nonce": "x"},
		"one with a hash":     {"at_hash": "x"},
		"Keycloak's":          {"typ": "ID"},
		"Keycloak's refresh":  {"typ": "Refresh"},
		"Cognito's":           {"token_use": "id"},
		"a logout token":      {"events": map[string]any{}},
		"no scopes":           {"scope": nil},
		"typ of another type": {"typ": []string{"Bearer"}},
	} {
		refuses(t, w.set(generic), w.sign(w.claims(changes), map[string]any{"typ": "JWT"}), name, authz.ErrInvalidToken)
	}
	refuses(t, w.set(generic), w.sign(w.claims(nil), map[string]any{"typ": "logout+jwt"}), "another typ", authz.ErrInvalidToken)
}

// Ensure that forged, altered and odd signatures are refused (rows J01, J02,
// J04, J05, J07, J08, J16, S08).
func TestForgedTokensAreRefused(t *testing.T) {
	w := newWorld(t)
	s := w.set(nil)
	good := w.sign(w.claims(nil), at)
	passes(t, s, good, "a good token")

	payload, _ := json.Marshal(w.claims(claims{"sub": "root"}))
	part := base64.RawURLEncoding.EncodeToString
	for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
		header := part(fmt.Appendf(nil, `{"alg":%q,"typ":"at+jwt"}`, none))
		refuses(t, s, header+"."+part(payload)+".", "alg "+none, authz.ErrInvalidToken)
		refuses(t, s, header+"."+part(payload)+"."+part([]byte("x")), "alg "+none, authz.ErrInvalidToken)
	}
	der, _ := x509.MarshalPKIXPublicKey(w.rsa.Public())
	jwk, _ := json.Marshal(library.JSONWebKey{Key: w.rsa.Public(), KeyID: "rsa", Use: "sig"})
	for name, secret := range map[string][]byte{"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWK": jwk} {
		refuses(t, s, w.signText(string(payload), library.HS256, secret, "rsa", at), "the public key as a secret, "+name, authz.ErrInvalidToken)
	}
	attacker, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for _, header := range []map[string]any{
		{}, {"jwk": library.JSONWebKey{Key: attacker.Public()}}, {"jku": "https://attacker.example/jwks"}, {"x5u": "https://attacker.example/x5u"}, {"x5c": []string{part(der)}},
	} {
		header["typ"] = typeAccess
		refuses(t, s, w.signText(string(payload), library.ES256, attacker, "ec", header), fmt.Sprintf("an attacker's key, %v", header), authz.ErrInvalidToken)
	}
	refuses(t, s, w.sign(w.claims(nil), map[string]any{"typ": typeAccess, "crit": []string{"x"}, "x": 1}), "an unknown extension", authz.ErrInvalidToken)
	twice := strings.Replace(string(payload), `{`, `{"sub":"ann",`, 1)
	refuses(t, s, w.signText(twice, library.ES256, w.ec, "ec", at), "sub twice", authz.ErrInvalidToken)

	pieces := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"cut": good[:len(good)-1], "longer": good + "A", "padded": good + "=", "a part more": good + ".", "two parts": pieces[0] + "." + pieces[1],
		"standard alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(good), "spare bits": good[:len(good)-1] + string(good[len(good)-1]+1),
		"other claims": pieces[0] + "." + part(payload) + "." + pieces[2], "long": "eyJ" + strings.Repeat(".", 8000),
	} {
		if raw != good {
			refuses(t, s, raw, name, authz.ErrInvalidToken)
		}
	}
}

// Ensure that an issuer may be held to some algorithms, and that a token without
// kid is tried with the keys of its algorithm (row J18).
func TestAlgorithmsOfAnIssuer(t *testing.T) {
	w := newWorld(t)
	payload, _ := json.Marshal(w.claims(nil))
	byRSA := w.signText(string(payload), library.RS256, w.rsa, "rsa", at)
	passes(t, w.set(nil), byRSA, "by default")
	passes(t, w.set(nil), w.signText(string(payload), library.PS256, w.rsa, "", at), "without kid")
	only := w.set(func(i *Issuer) { i.Algorithms = []string{"ES256"} })
	passes(t, only, w.sign(w.claims(nil), at), "the permitted one")
	refuses(t, only, byRSA, "another one", authz.ErrInvalidToken)
	refuses(t, w.set(nil), w.signText(string(payload), library.RS256, w.rsa, "ec", at), "the kid of a key for another algorithm", authz.ErrInvalidToken)
}

// Ensure that one issuer's keys say nothing about another's tokens, whatever
// these are called (rows J11 and S19).
func TestOneIssuerCannotSpeakForAnother(t *testing.T) {
	one, other := newWorld(t), newWorld(t)
	attacker, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other.ec = attacker
	issuers := []Issuer{{Issuer: one.server.URL, Audience: []string{"api"}}, {Issuer: other.server.URL, Audience: []string{"api"}}}
	s := NewSet(one.memory, own{}, ours, issuers, false)
	passes(t, s, one.sign(one.claims(nil), at), "one")
	passes(t, s, other.sign(other.claims(nil), at), "the other")
	refuses(t, s, other.sign(one.claims(nil), at), "the other as one", authz.ErrInvalidToken)
	_, err := s.Authenticate(t.Context(), bearer(other.sign(one.claims(claims{"iss": ours}), at)))
	if err == nil || !strings.Contains(err.Error(), errAskedUs.Error()) {
		t.Errorf("the other as us: %v", err)
	}
}

// Ensure that the issuer is compared again once the signature is good: what a
// token says before that only chooses who looks.
func TestVerifiedClaimsNameTheIssuer(t *testing.T) {
	w := newWorld(t)
	i := w.set(nil).by[w.server.URL]
	if _, err := i.verify(t.Context(), w.sign(w.claims(claims{"iss": "https://other.example"}), at), w.now()); !errors.Is(err, authz.ErrInvalidToken) {
		t.Errorf("another issuer: %v", err)
	}
}

// Ensure that a signature is verified once, and the token forgotten when it
// ends or its issuer's keys change.
func TestVerifiedOnce(t *testing.T) {
	w := newWorld(t)
	s := w.set(nil)
	raw := w.sign(w.claims(claims{"exp": w.now().Add(3 * time.Hour).Unix()}), at)
	passes(t, s, raw, "first")
	v := w.memory.recall(s.digest(raw))
	if v == nil {
		t.Fatal("it is not remembered")
	}
	passes(t, s, raw, "again")
	if w.memory.recall(s.digest(raw)) != v {
		t.Error("it was verified again")
	}
	if other := w.set(generic); w.memory.recall(other.digest(raw)) != nil {
		t.Error("a verdict counts under other settings")
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Authenticate(t.Context(), bearer(raw)) }); n > 0 {
		t.Errorf("%v allocations for a token that is remembered", n)
	}

	w.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // what is published under the same kid
	w.pass(10*time.Minute + 30*time.Second)
	passes(t, s, raw, "while the keys are renewed")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); w.memory.recall(s.digest(raw)) != nil && time.Now().Before(deadline); {
		<-tick.C
	}
	refuses(t, s, raw, "after its key went", authz.ErrInvalidToken)

	raw = w.sign(w.claims(nil), at)
	passes(t, s, raw, "by the new key")
	w.pass(time.Hour + DefaultLeeway)
	refuses(t, s, raw, "after its end", authz.ErrInvalidToken)
}

// Ensure that an issuer that is down is trouble of ours, not the token's fault.
func TestIssuerThatIsDown(t *testing.T) {
	w := newWorld(t)
	s := w.set(func(i *Issuer) { i.JWKS = "http://127.0.0.1:1/jwks" })
	refuses(t, s, w.sign(w.claims(nil), at), "no keys", authz.ErrTemporarilyUnavailable)
}

// Ensure that an id of 64 bits reaches those who judge and those who are told with
// all its digits, from both kinds of tokens: with fewer, accounts that are near to
// each other are one.
func TestAttackAccountsThatRoundToEachOther(t *testing.T) {
	w := newWorld(t)
	const account = int64(9007199254740993)
	w.says(w.active(claims{"account": account}))
	for _, p := range []authz.Principal{
		passes(t, w.set(nil), w.sign(w.claims(claims{"account": account}), at), "a signed token"),
		passes(t, w.set(w.introspected(0)), "opaque", "an opaque token"),
	} {
		if p.Claims["account"] != account {
			t.Errorf("the account is %v", p.Claims["account"])
		}
	}
}
