// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"context"
	"errors"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that a client ends its own token, that the very next use is refused, and
// that doing so again is no error (RFC 7009 §2.2).
func TestRevoke(t *testing.T) {
	w := newWorld(t)
	raw, kept := w.issue(""), w.issue("")
	if !w.alive(raw) {
		t.Fatal("not alive to begin with")
	}
	p, err := w.verifier.Authenticate(t.Context(), authz.Credential{Scheme: authz.SchemeBearer, Value: raw})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := w.send("/oauth/revoke", "job", "token="+raw)
		if r.status != 200 || r.body != "{}" || r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %s %v", r.status, r.body, r.header)
		}
		if w.alive(raw) {
			t.Error("alive")
		}
	}
	if !w.alive(kept) {
		t.Error("another token of the client died too")
	}
	if _, err := w.db.Generations(t.Context(), tokenstore.GrantKey(p.Grant)); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("the grant of a machine's only token is still there: %v", err)
	}
	log, err := w.db.AuditLog(t.Context(), 0, 1)
	if err != nil || len(log) != 1 || log[0].Type != string(authz.EventTokenRevoked) || log[0].Client != "job" || log[0].Grant != p.Grant {
		t.Errorf("audit: %+v, %v", log, err)
	}
}

// Ensure each rule of the revocation request, by the clause that makes it.
func TestRevocationRules(t *testing.T) {
	w := newWorld(t)
	raw := w.issue("")
	for name, c := range map[string]struct {
		client, body string
		status       int
		code         string
	}{
		"RFC 7009 §2.1: no token":               {"job", "", 400, "invalid_request"},
		"RFC 7009 §2.1: empty token":            {"job", "token=", 400, "invalid_request"},
		"RFC 7009 §2.1: token twice":            {"job", "token=a&token=b", 400, "invalid_request"},
		"RFC 7009 §2.1: unknown client":         {"nobody", "token=" + raw, 401, "invalid_client"},
		"RFC 7009 §2.1: another client's token": {"api", "token=" + raw, 400, "invalid_grant"},
		"RFC 7009 §2.2: unknown token":          {"job", "token=" + token.New(token.Access), 200, ""},
		"RFC 7009 §2.2: not a token":            {"job", "token=hello", 200, ""},
		"RFC 7009 §2.2.1: a client secret":      {"job", "token=" + token.New(token.ClientSecret), 400, "unsupported_token_type"},
		"RFC 7009 §2.2.1: a code":               {"job", "token=" + token.New(token.Code), 400, "unsupported_token_type"},
		"RFC 7009 §2.3: JSONP is not there":     {"job", "token=hello&callback=alert", 200, ""},
		"RFC 7009 §2.1: hint twice":             {"job", "token=a&token_type_hint=x&token_type_hint=y", 400, "invalid_request"},
	} {
		r := w.send("/oauth/revoke", c.client, c.body)
		r.want(t, name, c.status, c.code)
		if c.status == 200 && r.body != "{}" {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	if !w.alive(raw) {
		t.Error("one of them revoked the token")
	}
	for _, hint := range []string{"refresh_token", "unheard-of", ""} { // §2.1: a wrong hint is no obstacle
		raw := w.issue("")
		if r := w.send("/oauth/revoke", "job", "token="+raw+"&token_type_hint="+hint); r.status != 200 || w.alive(raw) {
			t.Errorf("hint %q: %d, alive %v", hint, r.status, w.alive(raw))
		}
	}
}

// Ensure that a revocation that could not be done is never confirmed (A21).
func TestRevokeInTrouble(t *testing.T) {
	w := newWorld(t)
	for name, cause := range map[string]error{"unknown": tokenstore.ErrUnknown, "full": tokenstore.ErrFull, "unavailable": tokenstore.ErrUnavailable} {
		raw := w.issue("")
		w.engine.failWrites.Store(&cause)
		w.send("/oauth/revoke", "job", "token="+raw).trouble(t, "writes: "+name)
		w.engine.failWrites.Store(nil)

		w.engine.failReads.Store(&cause)
		w.send("/oauth/revoke", "job", "token="+token.New(token.Access)).trouble(t, "reads: "+name)
		w.engine.failReads.Store(nil)

		if r := w.send("/oauth/revoke", "job", "token="+raw); r.status != 200 || w.alive(raw) {
			t.Errorf("%s: after the trouble: %d, alive %v", name, r.status, w.alive(raw))
		}
	}
}

// Ensure that of two revocations at once both are confirmed.
func TestRevokeThatLosesARace(t *testing.T) {
	w := newWorld(t)
	raw := w.issue("")
	rec, err := w.verifier.Find(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	before := func() {
		change := w.db.NewChange()
		token.Opaque{}.End(change, rec)
		if _, err := w.db.Commit(context.Background(), change); err != nil {
			t.Error(err)
		}
	}
	w.engine.beforeApply.Store(&before)
	if r := w.send("/oauth/revoke", "job", "token="+raw); r.status != 200 || w.alive(raw) {
		t.Errorf("%d %s", r.status, r.body)
	}
}
