// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that the limits of a form hold at the number, not around it.
func TestFormLimits(t *testing.T) {
	parameters := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = "p" + strings.Repeat("x", i) + "=1"
		}
		return strings.Join(names, "&")
	}
	resources := func(n int) string { return strings.TrimSuffix(strings.Repeat("resource=a:b&", n), "&") }
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"200 parameters": {parameters(MaxParameters), true}, "201 parameters": {parameters(MaxParameters + 1), false},
		"10 resources": {resources(MaxResources), true}, "11 resources": {resources(MaxResources + 1), false},
	} {
		if _, err := parseForm(c.body); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure that a form reads as the standard library reads it, less what is absent
// for having no value, and that nothing repeated, malformed or beyond the limits
// passes.
func FuzzForm(f *testing.F) {
	for _, s := range []string{
		"", "&", "=", "a", "a=b", "a=b&a=c", "a=b&%61=c", "a;b=c", "a=%zz", "a+b=c+d", "resource=a&resource=b", "client_secret=", "client_assertion=", "client_assertion=&client_assertion=", "a=&a=", "a[b]=c",
		strings.Repeat("a&", 300), "\x00=\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := parseForm(body)
		standard, standardErr := url.ParseQuery(body)
		repeated, count := false, 0
		for name, values := range standard {
			count += len(values)
			repeated = repeated || len(values) > 1 && name != authz.ParamResource
		}
		if err != nil {
			if form != nil {
				t.Fatal("refused, and yet something came out")
			}
			legitimate := standardErr != nil || repeated || len(standard[authz.ParamResource]) > MaxResources || strings.Count(body, "&") >= MaxParameters
			if !legitimate {
				t.Fatalf("refused %q: %v", body, err)
			}
			return
		}
		if standardErr != nil || repeated || count > MaxParameters {
			t.Fatalf("accepted %q: %v, repeated %v, %d parameters", body, standardErr, repeated, count)
		}
		want := url.Values{}
		for name, values := range standard {
			for _, v := range values {
				if v != "" || name == authz.ParamClientSecret || name == authz.ParamClientAssertion {
					want.Add(name, v)
				}
			}
		}
		if !reflect.DeepEqual(form, want) {
			t.Fatalf("%q reads as %v, want %v", body, form, want)
		}
	})
}
