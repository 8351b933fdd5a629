// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// stated is [guarded] with services that are told of callers by tokens: api by
// one in Authorization, and admin by one in a header of its own, for a service
// that is called otherwise than its site.
var stated = strings.NewReplacer(
	"		deny /internal/*\n", "		deny /internal/*\n		upstream token jwt\n",
	"		allow /admin/* admin\n", "		allow /admin/* admin\n		upstream {\n			token jwt header X-Caller {\n				audience urn:admin\n			}\n		}\n",
).Replace(guarded)

// statedTo verifies what an upstream was told, as that does.
func (g *gateway) statedTo(audience, raw string) (map[string]any, error) {
	g.t.Helper()
	ctx := oidc.ClientContext(context.Background(), g.client)
	verified, err := oidc.NewVerifier(g.issuer(), oidc.NewRemoteKeySet(ctx, g.issuer()+"/oauth/jwks/upstream"), &oidc.Config{
		ClientID: audience, SupportedSigningAlgs: []string{"ES256"},
	}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	return claims, verified.Claims(&claims)
}

// Ensure that a service gets a token that it can verify in place of the caller's,
// made for it alone, and that no guard, introspection or set of keys takes that for
// an access token: not even where access tokens are JWTs.
func TestUpstreamToken(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, stated, u.env())
	g.canary(shopSecret)
	g.canary(reporterSecret)
	g.canary(briefSecret)
	kids := g.document("/oauth/jwks/upstream")["keys"].([]any)
	if len(kids) != 1 || len(g.kids()) != 0 {
		t.Fatalf("published are %d keys for upstreams and %d for access tokens", len(kids), len(g.kids()))
	}
	opaque := g.shopToken("user read")
	var inside string
	for range 3 {
		if status := g.call("api.localhost", "/orders/1", opaque); status != http.StatusOK {
			t.Fatalf("the caller gets %d", status)
		}
		raw, bearer := strings.CutPrefix(u.last().Header.Get("Authorization"), "Bearer ")
		if !bearer || raw == opaque || inside != "" && raw != inside {
			t.Fatalf("Authorization is %.20q", raw)
		}
		inside = raw
	}
	site := "http://api.localhost:" + g.port
	claims, err := g.statedTo(site, inside)
	if err != nil {
		t.Fatal(err)
	}
	if claims["client_id"] != "shop" || claims["scope"] != "read user" || claims["sub"] != nil || claims["exp"].(float64)-claims["iat"].(float64) > 60 {
		t.Errorf("the service is told %v", claims)
	}
	if status := g.call("admin.localhost", "/", g.shopToken("user")); status != http.StatusOK {
		t.Fatalf("the other site: %d", status)
	}
	if last := u.last(); last.Header.Get("Authorization") != "" {
		t.Error("the caller's token went upstream")
	} else if _, err := g.statedTo("urn:admin", last.Header.Get("X-Caller")); err != nil {
		t.Errorf("X-Caller: %v", err)
	} else if _, err := g.statedTo(site, last.Header.Get("X-Caller")); err == nil {
		t.Error("what one service is told is good for another")
	}
	if a := g.get("open.localhost", "/pub/x", "X-Caller: "+inside); a.status != http.StatusOK {
		t.Errorf("a public path: %d", a.status)
	}

	refused := func(when string) {
		t.Helper()
		for _, host := range []string{"api.localhost", "admin.localhost", "open.localhost"} {
			if status := g.call(host, "/", inside); status != http.StatusUnauthorized {
				t.Errorf("%s, %s takes it back: %d", when, host, status)
			}
		}
		if told := g.introspect("shop", shopSecret, inside); told["active"] != false {
			t.Errorf("%s, introspection says %v", when, told)
		}
	}
	refused("with opaque access tokens")
	g.mustReload(strings.Replace(stated, "	oauth2 {\n", "	oauth2 {\n		access_token {\n			format jwt\n		}\n", 1))
	refused("with signed access tokens")
	if _, err := g.statedTo(g.issuer(), g.shopToken("user")); err == nil {
		t.Error("an access token verifies by the keys for upstreams")
	}
	if _, err := g.verifyElsewhere(inside); err == nil {
		t.Error("it verifies by the keys of access tokens")
	}
	if now := g.document("/oauth/jwks/upstream")["keys"].([]any); len(now) != 1 || now[0].(map[string]any)["kid"] != kids[0].(map[string]any)["kid"] {
		t.Errorf("the reload changed the keys: %v", now)
	}
	for bad, want := range map[string]string{
		"upstream token saml": "saml", "upstream token jwt header": "header", "upstream token jwt header Cookie": "Cookie",
		"upstream token jwt {\n keep_credential\n}": "keep_credential", "upstream token jwt {\n token jwt\n}": "already",
	} {
		err := g.reload(strings.Replace(stated, "upstream token jwt", bad, 1))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
