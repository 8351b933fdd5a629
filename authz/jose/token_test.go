// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"runtime"
	"strings"
	"testing"
)

// Ensure that tokens of every algorithm verify with their key and with no other,
// and that their claims can be had only then.
func TestVerify(t *testing.T) {
	for algorithm, key := range signers() {
		raw := signed(t, algorithm, key, map[string]any{"kid": "k", "typ": "at+jwt"}, `{"iss":"https://a.example","Iss":"x"}`)
		if !Looks(raw) {
			t.Errorf("%s: it does not look like a token", algorithm)
		}
		tok, err := Parse(raw, Asymmetric()...)
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if tok.Header != (Header{algorithm, "k", "at+jwt"}) {
			t.Errorf("%s: header %+v", algorithm, tok.Header)
		}
		var claims struct {
			Issuer string `json:"iss"`
		}
		if err := tok.Claims(&claims); !errors.Is(err, ErrUnverified) {
			t.Errorf("%s: claims before verification: %v", algorithm, err)
		}
		for other, wrong := range signers() {
			if CheckKey(algorithm, wrong.Public()) != nil {
				if err := tok.Verify(wrong.Public()); !errors.Is(err, ErrSignature) {
					t.Errorf("%s with a key of %s: %v", algorithm, other, err)
				}
			}
		}
		if err := tok.Verify(key.Public()); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if err := tok.Claims(&claims); err != nil || claims.Issuer != "https://a.example" {
			t.Errorf("%s: claims %+v, %v", algorithm, claims, err)
		}
		if _, err := Parse(raw, ES256, "none"); (err == nil) != (algorithm == ES256) {
			t.Errorf("%s where only ES256 is accepted: %v", algorithm, err)
		}
	}
}

// Ensure J01: a token without a signature is none, however "none" is written.
func TestUnsigned(t *testing.T) {
	for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
		for _, signature := range []string{"", "x", encode("none")} {
			raw := encode(`{"alg":"`+none+`"}`) + "." + encode(`{"sub":"a"}`) + "." + signature
			if tok, err := Parse(raw, append(Asymmetric(), none)...); err == nil && tok.Verify([]byte{}) == nil {
				t.Errorf("%q was accepted", raw)
			}
		}
	}
}

// Ensure J02: a public key, in whatever form, is never the secret of an HMAC.
func TestKeyConfusion(t *testing.T) {
	for _, algorithm := range []string{ES256, RS256} {
		public := signers()[algorithm].Public()
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		for name, secret := range map[string][]byte{
			"DER": der,
			"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		} {
			raw := signed(t, HS256, secret, nil, `{"sub":"a"}`)
			if _, err := Parse(raw, Asymmetric()...); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s of %s: %v", name, algorithm, err)
			}
			tok, err := Parse(raw, append(Asymmetric(), HS256)...) // a caller who is careless
			if err != nil {
				t.Fatal(err)
			}
			if err := tok.Verify(public); !errors.Is(err, ErrSignature) {
				t.Errorf("%s of %s: %v", name, algorithm, err)
			}
		}
	}
}

// Ensure J04: a key in the header counts for nothing; the token stands and falls
// with the key that is given.
func TestKeyInHeader(t *testing.T) {
	own := signers()[ES256].(*ecdsa.PrivateKey)
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []map[string]any{
		{"jku": "https://attacker.example/jwks"},
		{"x5u": "https://attacker.example/cert"},
		{"jwk": map[string]any{
			"kty": "EC", "crv": "P-256",
			"x": encode(string(attacker.X.FillBytes(make([]byte, 32)))), "y": encode(string(attacker.Y.FillBytes(make([]byte, 32)))),
		}},
	} {
		set := KeySet{{Public: own.Public()}}
		if accepted(signed(t, ES256, attacker, header, `{}`), set, ES256) {
			t.Errorf("%v: the attacker's key was used", header)
		}
		if !accepted(signed(t, ES256, own, header, `{}`), set, ES256) {
			t.Errorf("%v: a good token is refused", header)
		}
	}
}

// Ensure J05, J08 and J16, and their like: what is signed well, but could be read
// in two ways, is refused.
func TestAmbiguousTokens(t *testing.T) {
	key := signers()[ES256].Public()
	const header, claims = `{"alg":"ES256"}`, `{"sub":"a"}`
	if !accepted(signedText(t, header, claims), KeySet{{Public: key}}, ES256) {
		t.Fatal("the plain token is refused")
	}
	for name, parts := range map[string][2]string{
		"crit":                          {`{"alg":"ES256","crit":["exp"],"exp":1}`, claims},
		"crit of b64":                   {`{"alg":"ES256","crit":["b64"],"b64":false}`, claims},
		"empty crit":                    {`{"alg":"ES256","crit":[]}`, claims},
		"b64 without crit":              {`{"alg":"ES256","b64":true}`, claims},
		"zip":                           {`{"alg":"ES256","zip":"DEF"}`, claims},
		"alg twice":                     {`{"alg":"none","alg":"ES256"}`, claims},
		"alg of another case":           {`{"Alg":"ES256"}`, claims},
		"alg in another case":           {`{"alg":"es256"}`, claims},
		"alg no text":                   {`{"alg":["ES256"]}`, claims},
		"kid no text":                   {`{"alg":"ES256","kid":7}`, claims},
		"a long kid":                    {`{"alg":"ES256","kid":"` + strings.Repeat("k", MaxKeyID+1) + `"}`, claims},
		"a long header":                 {`{"alg":"ES256","x":"` + strings.Repeat("k", MaxHeader) + `"}`, claims},
		"a byte order mark":             {"\ufeff" + header, claims},
		"more after the header":         {header + "{}", claims},
		"a header of text":              {`"ES256"`, claims},
		"sub twice":                     {header, `{"sub":"a","sub":"b"}`},
		"sub twice, once escaped":       {header, `{"sub":"a","s\u0075b":"b"}`},
		"twice deep down":               {header, `{"a":[{"b":{"c":1,"d":2,"c":1}}]}`},
		"claims with byte order mark":   {header, "\ufeff" + claims},
		"claims that are no UTF-8":      {header, "{\"sub\":\"\xff\"}"},
		"claims with more after them":   {header, claims + " x"},
		"claims that are a list":        {header, `[` + claims + `]`},
		"claims that are not there":     {header, ` `},
		"claims that are deeply nested": {header, `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`},
		"claims without end":            {header, `{"sub":"a"`},
		"claims with many members":      {header, `{` + strings.Join(names(maxMembers+1), ",") + `}`},
	} {
		raw := signedText(t, parts[0], parts[1])
		if _, err := Parse(raw, ES256); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// names are so many members.
func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = `"` + big.NewInt(int64(i)).String() + `":[{"x":"\"}"},-1.5e3, true , null]`
	}
	return list
}

// Ensure S08 and J16: a token that is cut short, made longer, padded or spelt in
// another way is not the token.
func TestAlteredTokens(t *testing.T) {
	set := KeySet{{Public: signers()[ES256].Public()}}
	raw := signedText(t, `{"alg":"ES256"}`, `{"sub":"ab","list":[{"x":"\"}"},-1.5e3, true , null , {} , []]}`)
	if !accepted(raw, set, ES256) {
		t.Fatal("the token is refused")
	}
	parts := strings.Split(raw, ".")
	var altered []string
	for _, change := range []func(string) string{
		func(s string) string { return s + "=" },
		func(s string) string { return s + "==" },
		func(s string) string { return s + "\n" },
		func(s string) string { return s[:1] + "\r\n" + s[1:] },
		func(s string) string { return s + " " },
		func(s string) string { return " " + s },
		func(s string) string { return `"` + s + `"` },
		func(s string) string { return s + "A" },
		func(s string) string { return s[:len(s)-1] },
		func(s string) string { return s[:len(s)-1] + string(s[len(s)-1]+1) }, // spare bits, or another value
		func(s string) string { return "" },
		func(s string) string { return s + "." },
		func(s string) string { return "+" + s[1:] },
		func(s string) string { return "/" + s[1:] },
	} {
		for i := range parts {
			changed := append([]string(nil), parts...)
			changed[i] = change(parts[i])
			altered = append(altered, strings.Join(changed, "."))
		}
	}
	altered = append(altered, "", ".", "..", parts[0]+"."+parts[1], raw+"."+parts[2], "."+raw,
		`{"payload":"`+parts[1]+`","protected":"`+parts[0]+`","signature":"`+parts[2]+`"}`)
	for _, text := range altered {
		if accepted(text, set, ES256) {
			t.Errorf("%q is taken for %q", text, raw)
		}
	}
}

// Ensure J09: signatures that are none, and keys that do not fit, verify nothing.
func TestOddSignaturesAndKeys(t *testing.T) {
	key := signers()[ES256].(*ecdsa.PrivateKey)
	raw := signedText(t, `{"alg":"ES256"}`, `{"sub":"a"}`)
	input := raw[:strings.LastIndexByte(raw, '.')]
	zero, one := make([]byte, 32), append(make([]byte, 31), 1)
	order := key.Curve.Params().N.FillBytes(make([]byte, 32))
	der, err := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1), big.NewInt(1)})
	if err != nil {
		t.Fatal(err)
	}
	for name, signature := range map[string][]byte{
		"r and s zero": append(bytes.Clone(zero), zero...), "r zero": append(bytes.Clone(zero), one...),
		"s zero": append(bytes.Clone(one), zero...), "the order": append(bytes.Clone(order), order...),
		"DER": der, "too long": make([]byte, 66), "one byte": {1},
	} {
		if accepted(input+"."+encode(string(signature)), KeySet{{Public: key.Public()}}, ES256) {
			t.Errorf("%s was accepted", name)
		}
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		algorithm string
		key       any
	}{
		{ES256, signers()[ES384].Public()}, {ES256, (*ecdsa.PublicKey)(nil)}, {EdDSA, []byte("x")}, {RS256, short.Public()},
		{RS256, &rsa.PublicKey{}}, {HS256, make([]byte, 31)}, {HS512, make([]byte, 63)}, {"", signers()[EdDSA].Public()}, {ES256, nil},
		{ES256, key}, {"none", []byte{}},
	} {
		if CheckKey(c.algorithm, c.key) == nil {
			t.Errorf("a key %T fits %s", c.key, c.algorithm)
		}
	}
}

// Ensure J07: what is too long is refused before it is looked at.
func TestLongTokens(t *testing.T) {
	for name, raw := range map[string]string{
		"dots":   strings.Repeat(".", 1<<20),
		"header": "eyJ" + strings.Repeat("A", 1<<20) + ".e30.AA",
		"nested": "eyJhbGciOiJFUzI1NiJ9." + encode(`{"a":`+strings.Repeat("[", 1e5)+strings.Repeat("]", 1e5)+"}") + ".AA",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		cost := testing.AllocsPerRun(5, func() {
			if _, err := Parse(raw, ES256); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		})
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; cost > 10 || spent > 1<<16 {
			t.Errorf("%s: %v allocations, %d bytes for six", name, cost, spent)
		}
		if Looks(raw) {
			t.Errorf("%s looks like a token", name)
		}
	}
}

// Ensure S05: a type is compared as RFC 7515 §4.1.9 has it.
func TestType(t *testing.T) {
	for typ, is := range map[string]bool{
		"at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "Application/At+Jwt": true,
		"": false, "JWT": false, "application/": false, "at+jwt ": false, "application/application/at+jwt": false, "text/at+jwt": false,
	} {
		if (Header{Type: typ}).Is("at+jwt") != is {
			t.Errorf("%q: want %v", typ, is)
		}
	}
}
