// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// strong is a secret of sufficient length.
const strong = "0123456789abcdef0123456789abcdef"

// declared returns a valid confidential declaration, changed by change.
func declared(change func(*Declaration)) *Declaration {
	d := &Declaration{
		Client: Client{ID: "job", GrantTypes: []string{"client_credentials"}, Scopes: scope.Set{"b", "a"}},
		Secret: []string{strong},
	}
	if change != nil {
		change(d)
	}
	return d
}

// Ensure that every rule of the metadata is enforced, and names the field.
func TestBuildRefusesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Declaration)
		says   string
	}{
		"no id":                  {func(d *Declaration) { d.ID = "" }, "client id"},
		"id with a percent sign": {func(d *Declaration) { d.ID = "a%20b" }, "client id"},
		"id with a plus":         {func(d *Declaration) { d.ID = "a+b" }, "client id"},
		"id with a space":        {func(d *Declaration) { d.ID = "a b" }, "client id"},
		"id with a brace":        {func(d *Declaration) { d.ID = "{env.X}" }, "client id"},
		"long id":                {func(d *Declaration) { d.ID = strings.Repeat("a", 256) }, "255"},
		"control in the name":    {func(d *Declaration) { d.Name = "Shop\u202e" }, "name"},
		"long name":              {func(d *Declaration) { d.Name = strings.Repeat("a", 201) }, "200"},
		"unknown method":         {func(d *Declaration) { d.AuthMethod = "tls_client_auth" }, "auth_method"},
		"no secret":              {func(d *Declaration) { d.Secret = nil }, "auth_method none"},
		"short secret":           {func(d *Declaration) { d.Secret = []string{strong[:31]} }, "weak_secret"},
		"empty secret":           {func(d *Declaration) { d.Secret, d.WeakSecret = []string{""}, true }, "empty"},
		"huge secret":            {func(d *Declaration) { d.Secret = []string{strings.Repeat("a", 1025)} }, "1024"},
		"three secrets":          {func(d *Declaration) { d.Secret = []string{strong, strong + "2", strong + "3"} }, "more than 2"},
		"broken hash":            {func(d *Declaration) { d.SecretHash = []string{"sha256:abc"} }, "secret_hash"},
		"public with secret":     {func(d *Declaration) { d.AuthMethod, d.GrantTypes = "none", nil }, "excludes"},
		"public as a machine":    {func(d *Declaration) { d.AuthMethod, d.Secret = "none", nil }, "client_credentials"},
		"public that introspects": {func(d *Declaration) {
			d.AuthMethod, d.Secret, d.GrantTypes, d.Introspects = "none", nil, nil, []string{"https://api.example.com"}
		}, "introspects"},
		"malformed scope": {func(d *Declaration) { d.Scopes = scope.Set{`a"b`} }, "scope"},
		"too many scopes": {func(d *Declaration) {
			for i := range 101 {
				d.Scopes = append(d.Scopes, sprint("s%d", i))
			}
		}, "100"},
		"default beyond scopes":    {func(d *Declaration) { d.DefaultScopes = scope.Set{"c"} }, "default_scopes"},
		"short lifetime":           {func(d *Declaration) { d.AccessTokenLifetime = Duration(time.Millisecond) }, "lifetime"},
		"negative lifetime":        {func(d *Declaration) { d.AccessTokenLifetime = -1 }, "lifetime"},
		"long lifetime":            {func(d *Declaration) { d.AccessTokenLifetime = Duration(MaxLifetime + 1) }, "lifetime"},
		"wrong redirect URI":       {func(d *Declaration) { d.RedirectURIs = []string{"http://shop.example.com/"} }, "redirect_uris"},
		"too many redirect URIs":   {func(d *Declaration) { d.RedirectURIs = make([]string, 51) }, "redirect_uris"},
		"repeated redirect URI":    {func(d *Declaration) { d.RedirectURIs = []string{"https://a.example", "https://a.example"} }, "twice"},
		"wrong origin":             {func(d *Declaration) { d.Origins = []string{"https://app.example.com/"} }, "origins"},
		"wrong resource":           {func(d *Declaration) { d.Introspects = []string{"/orders"} }, "introspects"},
		"grant type with a quote":  {func(d *Declaration) { d.GrantTypes = []string{`a"b`} }, "grant_types"},
		"too many grant types":     {func(d *Declaration) { d.GrantTypes = make([]string, 21) }, "grant_types"},
		"grant type that is twice": {func(d *Declaration) { d.GrantTypes = []string{"a", "a"} }, "twice"},
	} {
		_, err := declared(c.change).Build()
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error = %v, want one that says %q", name, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), strong[:31]) {
			t.Errorf("%s: the error shows the secret", name)
		}
	}
}

// Ensure that a declaration becomes a client with sorted scopes, defaults and digests.
func TestBuildMakesAClient(t *testing.T) {
	c, err := declared(func(d *Declaration) {
		digest, _ := DigestSecret("another secret, which is long enough", false)
		d.SecretHash = []string{FormatSecretHash(digest)}
	}).Build()
	if err != nil {
		t.Fatal(err)
	}
	if c.Scopes.String() != "a b" || c.Defaults().String() != "a b" || c.Method() != "client_secret_basic" || c.DisplayName() != "job" {
		t.Errorf("%+v", c)
	}
	for _, secret := range []string{strong, "another secret, which is long enough"} {
		if !constantTime.match(c.Secrets, [2]string{secret, secret}, time.Time{}) {
			t.Errorf("secret %.4s… does not count", secret)
		}
	}
	if _, err := declared(func(d *Declaration) { d.Secret, d.WeakSecret = []string{"x"}, true }).Build(); err != nil {
		t.Errorf("weak_secret: %v", err)
	}
}

// Ensure that no secret and no digest shows when somebody prints or encodes a client.
func TestPrintingHidesSecrets(t *testing.T) {
	d := declared(nil)
	c, err := d.Build()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	digest := FormatSecretHash(c.Secrets[0].Digest)[7:]
	for _, text := range []string{
		sprint("%v", *c), sprint("%+v", c), sprint("%#v", *c), sprint("%v", c.Secrets), sprint("%x", c.Secrets),
		sprint("%v", *d), sprint("%#v", d), sprint("%+v", d), sprint("%s", d), string(encoded),
	} {
		if strings.Contains(text, strong) || strings.Contains(text, digest) || strings.Contains(text, sprint("%v", c.Secrets[0].Digest)) {
			t.Errorf("shows: %s", text)
		}
	}
}

// Ensure that each written form of a digest is read, and nothing else.
func TestParseSecretHash(t *testing.T) {
	digest, err := DigestSecret(strong, false)
	if err != nil {
		t.Fatal(err)
	}
	// Computed with: printf %s 0123456789abcdef0123456789abcdef | sha256sum
	const hexForm = "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9"
	const base64Form = "PrG9Q5lH63YpmOVmzMLgmceREYsvQFecxPfaK1Bht_k"
	for _, text := range []string{"sha256:" + hexForm, "sha256:" + strings.ToUpper(hexForm), "sha256:" + base64Form, "sha256:" + base64Form + "="} {
		if got, err := ParseSecretHash(text); err != nil || got != digest {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", hexForm, "sha256:", "sha512:" + hexForm, "sha256:" + hexForm[1:], "sha256:" + hexForm + "00", "sha256: " + hexForm, "sha256:" + base64Form + "==", "sha256:" + strong} {
		if _, err := ParseSecretHash(text); err == nil {
			t.Errorf("accepted: %q", text)
		} else if text == "sha256:"+strong && strings.Contains(err.Error(), strong) {
			t.Error("the error shows what may be a secret in the wrong place")
		}
	}
}

// Ensure that no id is one that a path loses: nobody could name it in the admin
// API, and what it would name there instead is another resource.
func TestClientIDHasNoDotSegments(t *testing.T) {
	for _, id := range []string{"job", "a..b", "...", ".hidden", "https://app.example.com/id", "team/job"} {
		if err := ValidateID(id); err != nil {
			t.Errorf("refused %s: %v", id, err)
		}
	}
	for _, id := range []string{".", "..", "../stats", "a/../b", "a/.", "./a", "https://app.example.com/.."} {
		if ValidateID(id) == nil {
			t.Errorf("accepted %s", id)
		}
	}
}

// Ensure that redirect URIs are those that RFC 6749 §3.1.2 and RFC 8252 §7 allow.
func TestValidateRedirectURI(t *testing.T) {
	for _, uri := range []string{
		"https://shop.example.com/callback", "https://shop.example.com/cb?tenant=1", "http://127.0.0.1/cb", "http://127.0.0.1:8080/cb",
		"http://[::1]:9/cb", "http://localhost/cb", "com.example.app:/callback", "com.example.app://callback",
	} {
		if err := ValidateRedirectURI(uri); err != nil {
			t.Errorf("refused %s: %v", uri, err)
		}
	}
	for _, uri := range []string{
		"", "/callback", "shop.example.com/cb", "https:///cb", "http://shop.example.com/cb", "http://127.0.0.1.example.com/", "http://localhost.example.com/",
		"https://shop.example.com/cb#x", "https://shop.example.com/cb#", "https://user@shop.example.com/", "javascript:alert(1)",
		"data:text/html,x", "file:///etc/passwd", "https://shop.example.com\\@evil.example/", "https://shop.example.com/ cb",
		"https://shop.example.com/\r\nX: y", "https://shöp.example.com/", "myapp://callback", "https://" + strings.Repeat("a", 2000) + ".example",
	} {
		if ValidateRedirectURI(uri) == nil {
			t.Errorf("accepted %.60q", uri)
		}
	}
}

// Ensure that resources are absolute URIs without fragment (RFC 8707 §2).
func TestValidateResource(t *testing.T) {
	for _, uri := range []string{"https://api.example.com", "https://api.example.com/v1?x=y", "urn:example:api", "http://localhost:8080/"} {
		if err := ValidateResource(uri); err != nil {
			t.Errorf("refused %s: %v", uri, err)
		}
	}
	for _, uri := range []string{"", "api", "/v1", "//api.example.com", "https://api.example.com/#", "https://api.example.com/#a", "https:", "ht tp://x"} {
		if ValidateResource(uri) == nil {
			t.Errorf("accepted %q", uri)
		}
	}
}

// Ensure that an origin is exactly what a browser sends, and that the origins of
// redirect URIs stand in where none are named.
func TestOrigins(t *testing.T) {
	for _, origin := range []string{"https://app.example.com", "https://app.example.com:8443", "http://localhost:3000"} {
		if err := ValidateOrigin(origin); err != nil {
			t.Errorf("refused %s: %v", origin, err)
		}
	}
	for _, origin := range []string{"null", "*", "https://App.example.com", "https://app.example.com/", "https://app.example.com:443", "app.example.com", "com.example.app://x"} {
		if ValidateOrigin(origin) == nil {
			t.Errorf("accepted %q", origin)
		}
	}
	c := &Client{RedirectURIs: []string{"https://App.example.com:443/cb", "com.example.app:/cb"}}
	if !c.AllowsOrigin("https://app.example.com") {
		t.Error("the origin of a redirect URI is not allowed")
	}
	for _, other := range []string{"null", "", "https://app.example.com.evil.example", "http://app.example.com", "com.example.app://"} {
		if c.AllowsOrigin(other) {
			t.Errorf("allowed %q", other)
		}
	}
	c.Origins = []string{"https://spa.example.com"}
	if !c.AllowsOrigin("https://spa.example.com") || c.AllowsOrigin("https://app.example.com") {
		t.Error("named origins do not replace those of redirect URIs")
	}
}

// Ensure that durations are text in JSON, both ways.
func TestDurationJSON(t *testing.T) {
	var c Client
	if err := json.Unmarshal([]byte(`{"id":"a","access_token_lifetime":"1h30m"}`), &c); err != nil || c.AccessTokenLifetime != Duration(90*time.Minute) {
		t.Fatalf("%v, %v", c.AccessTokenLifetime, err)
	}
	if out, err := json.Marshal(c); err != nil || !strings.Contains(string(out), `"1h30m0s"`) {
		t.Errorf("%s, %v", out, err)
	}
	for _, wrong := range []string{`{"access_token_lifetime":90}`, `{"access_token_lifetime":"soon"}`} {
		if json.Unmarshal([]byte(wrong), &c) == nil {
			t.Errorf("accepted %s", wrong)
		}
	}
}
