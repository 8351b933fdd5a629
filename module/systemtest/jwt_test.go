// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// signedGuarded is [guarded] with JWTs for access tokens, but for the client
// reporter, whose tokens are opaque.
var signedGuarded = strings.NewReplacer(
	"	oauth2 {\n", "	oauth2 {\n		access_token {\n			format jwt\n		}\n",
	"client reporter {\n", "client reporter {\n			access_token_format opaque\n",
).Replace(guarded)

// startSigned is [startGuarded] with JWTs.
func startSigned(t testing.TB) (*gateway, *upstream) {
	t.Helper()
	u := newUpstream(t)
	g := start(t, signedGuarded, u.env())
	g.canary(shopSecret)
	g.canary(reporterSecret)
	g.canary(briefSecret)
	return g, u
}

// issuer is the gateway's.
func (g *gateway) issuer() string { return "http://localhost:" + g.port }

// verifyElsewhere verifies an access token as another service does, which knows nothing
// but the issuer, by a library that is not the gateway's own. It returns the claims.
func (g *gateway) verifyElsewhere(raw string) (map[string]any, error) {
	g.t.Helper()
	described := g.described()
	uri, _ := described["jwks_uri"].(string)
	ctx := oidc.ClientContext(context.Background(), g.client)
	verifier := oidc.NewVerifier(g.issuer(), oidc.NewRemoteKeySet(ctx, uri), &oidc.Config{
		ClientID: g.issuer(), SupportedSigningAlgs: []string{"ES256", "EdDSA", "RS256", "PS256"},
	})
	verified, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	return claims, verified.Claims(&claims)
}

// described is the authorization server's metadata.
func (g *gateway) described() map[string]any {
	g.t.Helper()
	return g.document("/.well-known/oauth-authorization-server")
}

// document is a public JSON document of the authorization server.
func (g *gateway) document(path string) map[string]any {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.url("localhost", path), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	resp, body := g.do(req)
	var document map[string]any
	if err := json.Unmarshal(body, &document); err != nil || resp.StatusCode != http.StatusOK {
		g.t.Fatalf("%s: %s, %v: %s", path, resp.Status, err, body)
	}
	return document
}

// kids are the ids of the published keys, in order.
func (g *gateway) kids() []string {
	g.t.Helper()
	keys, _ := g.document("/oauth/jwks")["keys"].([]any)
	ids := []string{}
	for _, key := range keys {
		ids = append(ids, key.(map[string]any)["kid"].(string))
	}
	return ids
}

// Ensure that the gateway's JWTs are what other services take for access tokens,
// that its guards take them beside opaque ones, and that introspection knows both.
func TestSignedTokens(t *testing.T) {
	t.Parallel()
	g, u := startSigned(t)
	signed, opaque := g.shopToken("user read"), g.token("reporter", reporterSecret)
	if !strings.HasPrefix(signed, "eyJ") || !strings.HasPrefix(opaque, "co2at_") {
		t.Fatalf("tokens %.10s… and %.10s…", signed, opaque)
	}
	claims, err := g.verifyElsewhere(signed)
	if err != nil {
		t.Fatal(err)
	}
	if claims["client_id"] != "shop" || claims["sub"] != "shop" || claims["scope"] != "read user" {
		t.Errorf("claims %v", claims)
	}
	for _, token := range []string{signed, opaque} {
		for range 3 {
			if status := g.call("api.localhost", "/orders/1", token); status != http.StatusOK {
				t.Errorf("%.10s… gets %d", token, status)
			}
		}
		if u.last().Header.Get("X-Auth-Subject") != "" {
			t.Error("a client's id went upstream as a subject")
		}
	}
	if status := g.call("api.localhost", "/internal/x", signed); status != http.StatusForbidden {
		t.Errorf("a row that refuses: %d", status)
	}
	told := g.introspect("shop", shopSecret, signed)
	if told["active"] != true || told["client_id"] != "shop" || told["jti"] != claims["jti"] || told["sub"] != nil {
		t.Errorf("introspection says %v", told)
	}
	at := strings.LastIndexByte(signed, '.') + 1
	forged := signed[:at] + map[bool]string{true: "B", false: "A"}[signed[at] == 'A'] + signed[at+1:]
	if told := g.introspect("shop", shopSecret, forged); told["active"] != false {
		t.Errorf("introspection of a forged token says %v", told)
	}
}

// Ensure that a JWT is revoked like any token: here it is refused at the next
// request, though it was in the cache, and stays so after a crash; elsewhere it
// still verifies, as the documentation says.
func TestRevokedSignedToken(t *testing.T) {
	t.Parallel()
	g, _ := startSigned(t)
	token, other := g.shopToken("user"), g.shopToken("user")
	for range 3 {
		if status := g.call("api.localhost", "/", token); status != http.StatusOK {
			t.Fatalf("before: %d", status)
		}
	}
	g.revoke(token)
	if status := g.call("api.localhost", "/", token); status != http.StatusUnauthorized {
		t.Errorf("after: %d", status)
	}
	if told := g.introspect("shop", shopSecret, token); told["active"] != false {
		t.Errorf("introspection says %v", told)
	}
	g.kill()
	g.start()
	if status := g.call("api.localhost", "/", token); status != http.StatusUnauthorized {
		t.Errorf("after a crash: %d", status)
	}
	if status := g.call("api.localhost", "/", other); status != http.StatusOK {
		t.Errorf("another one after a crash: %d", status)
	}
	if _, err := g.verifyElsewhere(token); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
	// An operator's ways.
	inspected, _ := g.cli(0, other, "token", "inspect", "-", "--json")
	if !strings.Contains(inspected, `"active": true`) && !strings.Contains(inspected, `"active":true`) {
		t.Errorf("token inspect says %s", inspected)
	}
	g.cli(0, other, "token", "revoke", "-")
	if status := g.call("api.localhost", "/", other); status != http.StatusUnauthorized {
		t.Errorf("revoked by command: %d", status)
	}
	third := g.shopToken("user")
	if status := g.call("api.localhost", "/", third); status != http.StatusOK {
		t.Errorf("a third: %d", status)
	}
	g.cli(0, "", "token", "revoke", "--client", "shop")
	if status := g.call("api.localhost", "/", third); status != http.StatusUnauthorized {
		t.Errorf("after all of the client were revoked: %d", status)
	}
}

// Ensure that the keys are those of the store: a crash and a reload change none,
// and what was signed before is taken after. Short form of FK and FR rows.
func TestSigningKeysOutliveCrashAndReload(t *testing.T) {
	t.Parallel()
	g, _ := startSigned(t)
	kids := g.kids()
	if len(kids) != 1 {
		t.Fatalf("%d keys are published at first", len(kids))
	}
	token := g.shopToken("user")
	for range rounds(2, 20) {
		g.kill()
		g.start()
		g.mustReload(signedGuarded + "\n# changed\n")
		g.mustReload(signedGuarded)
		if now := g.kids(); !slices.Equal(now, kids) {
			t.Fatalf("the keys were %v and are %v", kids, now)
		}
		if status := g.call("api.localhost", "/", token); status != http.StatusOK {
			t.Errorf("the token gets %d", status)
		}
	}
}

// Ensure J14 and what the commands say: rotation publishes the next key while the
// one before it signs, and what each signed is taken here and elsewhere; --revoke
// ends what older keys signed, at once.
func TestRotationOfSigningKeys(t *testing.T) {
	t.Parallel()
	g, _ := startSigned(t)
	before := g.shopToken("user")
	if status := g.call("api.localhost", "/", before); status != http.StatusOK {
		t.Fatalf("before: %d", status)
	}
	first := g.kids()
	g.cli(0, "", "key", "rotate", "--signing")
	if now := g.kids(); len(now) != 2 || now[0] != first[0] {
		t.Fatalf("published are %v, before %v", now, first)
	}
	g.cli(0, "", "key", "rotate", "--signing", "--now")
	after := g.shopToken("user")
	for name, token := range map[string]string{"before": before, "after": after} {
		if _, err := g.verifyElsewhere(token); err != nil {
			t.Errorf("%s: elsewhere: %v", name, err)
		}
		if status := g.call("api.localhost", "/", token); status != http.StatusOK {
			t.Errorf("%s: %d", name, status)
		}
	}
	var list struct {
		Keys []struct{ Use, Fingerprint, Alg, State string } `json:"keys"`
	}
	out, _ := g.cli(0, "", "key", "list", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, key := range list.Keys {
		if key.Use == "access" {
			states = append(states, key.Alg+" "+key.State)
		}
	}
	if got := strings.Join(states, ", "); got != "ES256 old, ES256 active" {
		t.Errorf("key list has %s", got)
	}
	g.cli(0, "", "key", "rotate", "--signing", "--revoke")
	for name, token := range map[string]string{"before": before, "after": after} {
		if status := g.call("api.localhost", "/", token); status != http.StatusUnauthorized {
			t.Errorf("%s: %d after its key was withdrawn", name, status)
		}
		if _, err := g.verifyElsewhere(token); err == nil {
			t.Errorf("%s: it verifies elsewhere after its key was withdrawn", name)
		}
	}
	if status := g.call("api.localhost", "/", g.shopToken("user")); status != http.StatusOK {
		t.Errorf("a new token: %d", status)
	}
	g.cli(1, "", "key", "rotate")
	g.cli(1, "", "key", "rotate", "--seal", "--now")
}

// Ensure that clients choose their format, that other algorithms sign, and that
// tokens stay valid when the configured format changes.
func TestFormatsSideBySide(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	if _, listed := g.described()["jwks_uri"]; listed || len(g.kids()) != 0 {
		t.Error("keys are listed though nothing is signed")
	}
	_, refusal := g.cli(1, "", "key", "rotate", "--signing")
	if !strings.Contains(refusal, "no signing keys") {
		t.Errorf("rotating no keys: %s", refusal)
	}
	opaque := g.shopToken("user")
	secret, _ := g.cli(0, "", "client", "add", "signing", "--scopes", "user", "--access-token-format", "jwt")
	signed := g.token("signing", g.canary(secret))
	if _, err := g.verifyElsewhere(signed); err != nil {
		t.Errorf("the token of a client with a format of its own: %v", err)
	}
	if _, said := g.cli(1, "", "client", "add", "odd", "--scopes", "user", "--access-token-format", "saml"); !strings.Contains(said, "jwt, opaque") {
		t.Errorf("an unknown format: %s", said)
	}
	g.cli(0, "", "client", "edit", "signing", "--access-token-format", "opaque")
	if token := g.token("signing", secret); !strings.HasPrefix(token, "co2at_") {
		t.Errorf("after the edit: %.10s…", token)
	}
	both := strings.NewReplacer("format jwt", "format jwt {\n				alg EdDSA\n				rotate 30d\n			}").Replace(signedGuarded)
	g.mustReload(both)
	for name, token := range map[string]string{"opaque": opaque, "signed": signed, "signed later": g.shopToken("user")} {
		if status := g.call("api.localhost", "/", token); status != http.StatusOK {
			t.Errorf("%s, after the server's format changed: %d", name, status)
		}
	}
	for bad, want := range map[string]string{
		"alg HS256": "alg", "alg none": "alg", "rotate 5m": "rotate", "rotate never": "rotate", "kid x": "no setting", "alg ES256\nalg ES256": "already",
	} {
		err := g.reload(strings.Replace(both, "alg EdDSA", bad, 1))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	endless := strings.Replace(signedGuarded, "format jwt\n", "format jwt {\n				rotate 1h\n			}\n			lifetime 720h\n", 1)
	if err := g.reload(endless); err == nil || !strings.Contains(err.Error(), "more than 64 keys") {
		t.Errorf("tokens that outlast hundreds of keys: %v", err)
	}
	if err := g.reload(strings.Replace(signedGuarded, "access_token_format opaque", "access_token_format saml", 1)); err == nil || !strings.Contains(err.Error(), "saml") {
		t.Errorf("a client of unknown format: %v", err)
	}
}

// Ensure that no client gets tokens for which keys could not rotate, whether it says so
// itself or leaves it to the server, in the configuration and in the store.
func TestKeysOutlastTheTokensOfEveryClient(t *testing.T) {
	t.Parallel()
	const tooLong = "more than 64 keys"
	reporter := "client reporter {\n\t\t\taccess_token_format jwt\n"
	long := func(setting string) string {
		return strings.NewReplacer("oauth2 {\n", "oauth2 {\n\t\taccess_token {\n\t\t\t"+setting+"\n\t\t}\n", "client reporter {\n", reporter).Replace(guarded)
	}
	g, _ := startGuarded(t)
	for _, setting := range []string{"lifetime 87600h", "lifetime client_credentials 87600h"} {
		if err := g.reload(long(setting)); err == nil || !strings.Contains(err.Error(), tooLong) || !strings.Contains(err.Error(), "reporter") {
			t.Errorf("%s, and a client whose tokens are signed: %v", setting, err)
		}
	}
	g.mustReload(long("lifetime 87600h\n\t\t\tlifetime client_credentials 1h"))
	g.mustReload(strings.Replace(signedGuarded, "format jwt\n", "format jwt {\n\t\t\t\trotate 1h\n\t\t\t}\n", 1))
	if _, said := g.cli(1, "", "client", "add", "long", "--scopes", "user", "--access-token-lifetime", "720h"); !strings.Contains(said, tooLong) {
		t.Errorf("client add: %s", said)
	}
	g.cli(0, "", "client", "add", "long", "--scopes", "user", "--access-token-lifetime", "720h", "--access-token-format", "opaque")
	if _, said := g.cli(1, "", "client", "edit", "long", "--access-token-format", "jwt"); !strings.Contains(said, tooLong) {
		t.Errorf("client edit: %s", said)
	}
	g.cli(0, "", "client", "edit", "long", "--access-token-format", "jwt", "--access-token-lifetime", "20h")
}

// Ensure J15 over HTTP: the key documents are public, may be kept for a while,
// can be read by every web page, and have public members only.
func TestPublishedKeys(t *testing.T) {
	t.Parallel()
	g, _ := startSigned(t)
	for _, path := range []string{"/oauth/jwks", "/oauth/jwks/upstream"} {
		a := g.get("localhost", path, "Origin: https://app.example.com")
		for name, want := range map[string]string{
			"Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"dq"`, `"qi"`, `"k"`} {
			if strings.Contains(a.body, private) {
				t.Errorf("%s has %s: %s", path, private, a.body)
			}
		}
		if a := g.request(http.MethodPost, "localhost", path, "x"); a.status != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, a.status)
		}
		if a := g.request(http.MethodHead, "localhost", path, ""); a.status != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, a.status)
		}
	}
	if uri := g.described()["jwks_uri"]; uri != g.issuer()+"/oauth/jwks" {
		t.Errorf("jwks_uri is %v", uri)
	}
	if resp, _ := g.post("/oauth/token", "shop", shopSecret, url.Values{"grant_type": {"client_credentials"}}); resp.StatusCode != http.StatusOK {
		t.Errorf("a token: %s", resp.Status)
	}
}
