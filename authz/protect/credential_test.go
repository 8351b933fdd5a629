// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that exactly one well-formed credential of an accepted scheme counts.
func TestAuthorizationIsParsedExactly(t *testing.T) {
	for value, want := range map[string]string{
		"Bearer abc":                     "abc",
		"bEaReR abc":                     "abc",
		"Bearer   abc":                   "abc",
		"Bearer a-b.c_d~e+f/g==":         "a-b.c_d~e+f/g==",
		"Basic dXNlcjpwYXNz":             "absent",
		"Digest a=\"b\", c=\"d\"":        "absent",
		"Negotiate":                      "absent",
		"Bearers abc":                    "absent",
		"":                               "broken",
		"Bearer":                         "broken",
		"Bearer ":                        "broken",
		"Bearer\tabc":                    "broken",
		"Bearer ==":                      "broken",
		"Bearer a=b":                     "broken",
		"Bearer abc ":                    "broken",
		"Bearer a b":                     "broken",
		"Bearer a,b":                     "broken",
		"Bearer a, Bearer b":             "broken",
		"Bearer 'abc'":                   "broken",
		"Bearer abc\x00":                 "broken",
		"Bearer ab\xc3\xa9":              "broken",
		"Basic eA==,Bearer abc":          "broken",
		"Basic eA== ,\t, bearer abc":     "broken",
		"Basic eA==, Digest a=b, BEARER": "broken",
		"Be,arer abc":                    "broken",
		" Bearer abc":                    "broken",
		"Bearer " + strings.Repeat("a", MaxCredential+1): "broken",
	} {
		credential, found := parseAuthorization([]string{value}, []string{authz.SchemeBearer})
		got := credential.Value
		switch found {
		case absent:
			got = "absent"
		case broken:
			got = "broken"
		}
		if got != want || found == present && credential.Scheme != authz.SchemeBearer || found != present && credential != (authz.Credential{}) {
			t.Errorf("%.40q is %q", value, got)
		}
	}
}

// Ensure that rows that examine no credential keep accepted ones from the
// upstream, and leave others alone.
func TestUnexaminedCredentials(t *testing.T) {
	g := newGuard(t, testConfig(t, "public /p", "optional /o", "allow /a"))
	for _, c := range []struct {
		target string
		values []string
		kept   bool
		status int
	}{
		{"/p", []string{"Bearer bogus"}, false, 200},
		{"/p", []string{"Basic eA=="}, true, 200},
		{"/p", []string{"Basic eA==", "Bearer bogus"}, false, 200},
		{"/p", []string{"Basic eA==, Bearer bogus"}, false, 200},
		{"/o", []string{"Basic eA=="}, true, 200},
		{"/o", []string{"Bearer bogus"}, false, 401},
		{"/o", nil, false, 200},
		{"/a", []string{"Basic eA=="}, false, 401},
	} {
		r := get("GET", c.target, "")
		if c.values != nil {
			r.Header["Authorization"] = c.values
		}
		w, seen, err := serve(t, r, g)
		if err != nil || w.Code != c.status || (seen != nil) != (c.status == 200) {
			t.Fatalf("%s %q: status %d, %v", c.target, c.values, w.Code, err)
		}
		if _, kept := r.Header["Authorization"]; kept != c.kept {
			t.Errorf("%s %q: kept %v", c.target, c.values, kept)
		}
		if seen != nil && seen.principal != nil {
			t.Errorf("%s %q: a principal from nowhere", c.target, c.values)
		}
	}
}

// FuzzAuthorization: no panic, at most one credential, which is a token68 that
// stands in the header as it is returned.
func FuzzAuthorization(f *testing.F) {
	for _, v := range []string{"Bearer abc", "Bearer a, Bearer b", "Basic eA==, Bearer b", "", "DPoP a.b.c", "OAuth a=\"b\"", "bearer  x=="} {
		f.Add(v, "")
		f.Add(v, "Bearer x")
	}
	schemes := []string{authz.SchemeBearer, "DPoP"}
	f.Fuzz(func(t *testing.T, one, two string) {
		values := []string{one}
		if two != "" {
			values = append(values, two)
		}
		credential, found := parseAuthorization(values, schemes)
		if found != present {
			if credential != (authz.Credential{}) {
				t.Fatalf("%q: a credential that is not there", values)
			}
			if low := strings.ToLower(one); len(values) == 1 && found == absent && strings.HasPrefix(low, "bearer ") {
				t.Fatalf("%q counts as none", values)
			}
			return
		}
		scheme, rest, _ := strings.Cut(one, " ")
		if len(values) > 1 || strings.TrimLeft(rest, " ") != credential.Value || !strings.EqualFold(scheme, credential.Scheme) || strings.ContainsAny(credential.Value, " ,\"\t") {
			t.Fatalf("%q yields %q", values, credential)
		}
		again, found := parseAuthorization([]string{credential.Scheme + " " + credential.Value}, schemes)
		if found != present || again != credential {
			t.Fatalf("%q does not round trip", values)
		}
		g := &Guard{config: Config{Schemes: schemes}}
		h := http.Header{"Authorization": values}
		if g.withhold(h); len(h) != 0 {
			t.Fatalf("%q goes upstream", values)
		}
	})
}
