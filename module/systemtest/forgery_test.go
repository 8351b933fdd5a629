// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// base64url is the encoding of the parts of a token (RFC 7515 §2).
var base64url = base64.RawURLEncoding

// claimsOf are the claims of a token, whoever signed it.
func claimsOf(t testing.TB, raw string) (claims map[string]any) {
	t.Helper()
	text, err := base64url.DecodeString(strings.Split(raw, ".")[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// altered are tokens that somebody makes who has a good one, signed by ES256, and no
// key. Rows J01, J07, J09, J16, S05 and S08.
func altered(t testing.TB, good string) map[string]string {
	t.Helper()
	wider := claimsOf(t, good)
	wider["scope"] = "user admin"
	claims, err := json.Marshal(wider)
	if err != nil {
		t.Fatal(err)
	}
	header, payload, signature := cut(good)
	bytes, err := base64url.DecodeString(signature)
	if err != nil || len(bytes) != 64 {
		t.Fatalf("a signature of %d bytes: %v", len(bytes), err)
	}
	r, s := bytes[:32], bytes[32:]
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
	if err != nil {
		t.Fatal(err)
	}
	with := func(signature ...byte) string {
		return header + "." + payload + "." + base64url.EncodeToString(signature)
	}
	order, zero := elliptic.P256().Params().N.Bytes(), make([]byte, 32)
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(good) - 1
	forged := map[string]string{
		"J07, dots":    "eyJ" + strings.Repeat(".", 7000),
		"J07, nested":  header + "." + base64url.EncodeToString([]byte(strings.Repeat("[", 4000))) + "." + signature,
		"J07, endless": header + "." + payload + strings.Repeat("A", 8192) + "." + signature,
		"J09, r is 0":  with(append(zero[:32:32], s...)...), "J09, s is 0": with(append(r[:32:32], zero...)...), "J09, both are 0": with(make([]byte, 64)...),
		"J09, r is the order": with(append(order[:32:32], s...)...), "J09, s is the order": with(append(r[:32:32], order...)...),
		"J09, a byte more each": with(append(append(append([]byte{0}, r...), 0), s...)...), "J09, DER": with(der...), "J09, halves changed": with(append(s[:32:32], r...)...),
		"S08, cut": good[:last-1], "S08, longer": good + "AA", "S08, no signature": header + "." + payload + ".",
		"S08, other claims": header + "." + base64url.EncodeToString(claims) + "." + signature,
		"S08, in quotes":    `"` + good + `"`, "S08, a part more": good + "." + signature,
		"J16, padded": good + "=", "J16, other alphabet": header + "." + payload + "." + strings.Repeat("+/", 43), "J16, a space": header + "." + payload + ". " + signature,
		// Of the last digit four bits are spare: 64 bytes take 85⅓ digits.
		"J16, spare bits": good[:last] + string(digits[strings.IndexByte(digits, good[last])^1]),
	}
	for _, alg := range []string{"none", "NONE", "nOnE", "HS256", "ES384", "RS256", ""} {
		text := fmt.Appendf(nil, `{"alg":%q,"typ":"at+jwt"}`, alg)
		forged["J01, "+alg] = base64url.EncodeToString(text) + "." + base64url.EncodeToString(claims) + "."
		forged["J01, signed, "+alg] = base64url.EncodeToString(text) + "." + payload + "." + signature
	}
	for _, typ := range []string{"", "JWT", "at+JWT ", "id+jwt"} {
		forged["S05, typ "+typ] = base64url.EncodeToString(fmt.Appendf(nil, `{"alg":"ES256","typ":%q}`, typ)) + "." + payload + "." + signature
	}
	return forged
}

// cut are the parts of a token.
func cut(raw string) (header, payload, signature string) {
	parts := strings.Split(raw, ".")
	return parts[0], parts[1], parts[2]
}

// forged are tokens with the right claims that somebody signs who has keys of their own,
// and knows the right one's public part and id. Rows J02, J04, J05, J11 and J18.
func forged(g *gateway, public jose.JSONWebKey, claims map[string]any) map[string]string {
	g.t.Helper()
	stranger := newAsserter(g.t, "stranger")
	stranger.kid = public.KeyID
	der, err := x509.MarshalPKIXPublicKey(public.Key)
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := json.Marshal(public)
	if err != nil {
		g.t.Fatal(err)
	}
	made := map[string]string{"J11, another key of the same id": stranger.sign(g, claims, accessToken)}
	for name, secret := range map[string][]byte{"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWK": text} {
		made["J02, "+name] = asserter{key: secret, alg: jose.HS256, kid: public.KeyID}.sign(g, claims, accessToken)
	}
	key := stranger.key.(crypto.Signer)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		g.t.Fatal(err)
	}
	for name, member := range map[jose.HeaderKey]any{
		"jwk": jose.JSONWebKey{Key: key.Public()}, "jku": g.issuer() + "/keys?x", "x5u": g.issuer() + "/x5u",
		"x5c": []string{base64.StdEncoding.EncodeToString(certificate)},
	} {
		header := map[jose.HeaderKey]any{name: member}
		maps.Copy(header, accessToken)
		made["J04, "+string(name)] = stranger.sign(g, claims, header)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	made["J09, a key on another curve"] = asserter{key: other, alg: jose.ES384, kid: public.KeyID}.sign(g, claims, accessToken)
	stranger.kid = ""
	made["J18, another key without id"] = stranger.sign(g, claims, accessToken)
	return made
}

// ambiguous are tokens that the right key has signed, and that two parsers could read
// differently, or none would in time. Rows J05, J07 and J08.
// plain is what they are made of.
func (a asserter) ambiguous(g *gateway, claims map[string]any) (plain string, made map[string]string) {
	g.t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		g.t.Fatal(err)
	}
	good := string(text)
	header := fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":%q}`, a.kid)
	within := func(object, member string) string { return object[:len(object)-1] + "," + member + "}" }
	made = map[string]string{}
	for name, parts := range map[string][2]string{
		"J05, crit":                      {within(header, `"crit":["x"],"x":true`), good},
		"J05, crit of what is not there": {within(header, `"crit":["x"]`), good},
		"J05, crit of what is known":     {within(header, `"crit":["kid"]`), good},
		"J05, empty crit":                {within(header, `"crit":[]`), good},
		"J05, b64":                       {within(header, `"b64":false`), good},
		"J05, b64 and crit":              {within(header, `"b64":false,"crit":["b64"]`), good},
		"J05, zip":                       {within(header, `"zip":"DEF"`), good},
		"J07, nested":                    {header, within(good, `"x":`+strings.Repeat("[", 1500)+strings.Repeat("]", 1500))},
		"J07, too long":                  {header, within(good, `"x":"`+strings.Repeat("x", 8192)+`"`)},
		"J07, a header too long":         {within(header, `"x":"`+strings.Repeat("x", 2048)+`"`), good},
		"J08, a claim twice":             {header, within(good, `"scope":"user admin"`)},
		"J08, a claim twice, escaped":    {header, within(good, `"sc\u006fpe":"user admin"`)},
		"J08, a member twice":            {header, within(good, `"x":{"a":1,"a":2}`)},
		"J08, a header member twice":     {within(header, `"alg":"none"`), good},
		"J08, BOM":                       {header, "\ufeff" + good},
		"J08, BOM before the header":     {"\ufeff" + header, good},
		"J08, not UTF-8":                 {header, within(good, "\"x\":\"\xff\xfe\"")},
		"J08, data behind it":            {header, good + "{}"},
		"J08, a NUL behind it":           {header, good + "\x00"},
		"J08, a list":                    {header, "[" + good + "]"},
	} {
		made[name] = a.signText(g, parts[0], parts[1])
	}
	return a.signText(g, header, good), made
}

// signText signs a header and claims by ES256 as they are written, which no library
// would.
func (a asserter) signText(g *gateway, header, claims string) string {
	g.t.Helper()
	signed := base64url.EncodeToString([]byte(header)) + "." + base64url.EncodeToString([]byte(claims))
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, a.key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		g.t.Fatal(err)
	}
	return g.canary(signed + "." + base64url.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)))
}

// refuses shows tokens to the site api.localhost, which must refuse them all, and let
// nothing through to its service.
func (g *gateway) refuses(u *upstream, tokens map[string]string) {
	g.t.Helper()
	before := u.count()
	for name, raw := range tokens {
		if status := g.call("api.localhost", "/x", raw); status != http.StatusUnauthorized && status != http.StatusBadRequest {
			g.t.Errorf("%s: %d", name, status)
		}
	}
	if n := u.count(); n != before {
		g.t.Errorf("%d requests reached the service", n-before)
	}
}
