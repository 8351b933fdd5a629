// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// check makes sure that what is measured is what it is called: the guard lets
// good requests through and refuses bad ones, the plain proxy lets all through,
// and a revocation holds at once. A gateway that fails is an error, not a row.
func (g *gateway) check(ctx context.Context, good, signed string) error {
	issued, err := g.issue(ctx)
	if err != nil {
		return err
	}
	for _, one := range []struct {
		what, addr, path, token string
		want                    int
	}{
		{"a bulk-loaded token", g.protected, readPath, good, http.StatusOK},
		{"the same token again", g.protected, readPath, good, http.StatusOK},
		{"an issued token", g.protected, readPath, issued, http.StatusOK},
		{"a corrupted token", g.protected, readPath, corrupted(good), http.StatusUnauthorized},
		{"no token", g.protected, readPath, "", http.StatusUnauthorized},
		{"a token without the scope", g.protected, writePath, good, http.StatusForbidden},
		{"a JWT", g.protected, readPath, signed, http.StatusOK},
		{"the same JWT again", g.protected, readPath, signed, http.StatusOK},
		{"a corrupted JWT", g.protected, readPath, corrupted(signed), http.StatusUnauthorized},
		{"a JWT without the scope", g.protected, writePath, signed, http.StatusForbidden},
		{"a token where the service gets a JWT", g.phantom, readPath, good, http.StatusOK},
		{"no token where the service gets a JWT", g.phantom, readPath, "", http.StatusUnauthorized},
		{"no token at the plain proxy", g.plain, readPath, "", http.StatusOK},
		{"a token at the plain proxy", g.plain, readPath, good, http.StatusOK},
		{"the protected bare answer without a token", g.guarded, readPath, "", http.StatusUnauthorized},
		{"the bare answer", g.respond, readPath, "", http.StatusOK},
	} {
		if err := expect(ctx, one.what, one.addr, one.path, one.token, one.want); err != nil {
			return err
		}
	}
	if err := g.checkPhantom(ctx, good); err != nil {
		return err
	}
	status, _, err := post(ctx, "http://"+g.tokens+"/oauth/revoke", url.Values{"token": {issued}}.Encode())
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("revoking: status %d, error %v", status, err)
	}
	return expect(ctx, "a revoked token", g.protected, readPath, issued, http.StatusUnauthorized)
}

// checkPhantom makes sure that the service gets a JWT in place of an opaque token,
// and the same for the same caller: the one that is kept.
func (g *gateway) checkPhantom(ctx context.Context, good string) error {
	var seen [2]string
	for i := range seen {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.phantom+echoPath, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+good)
		status, body, err := send(r)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("what the service gets: status %d, error %v", status, err)
		}
		seen[i] = string(body)
	}
	if token, ok := strings.CutPrefix(seen[0], "Bearer "); !ok || !jose.Looks(token) {
		return fmt.Errorf("the service gets no JWT but %q", seen[0])
	}
	if seen[0] != seen[1] {
		return errors.New("the service gets another JWT for each request")
	}
	return nil
}

// issue gets a token from the token endpoint.
func (g *gateway) issue(ctx context.Context) (string, error) {
	status, body, err := post(ctx, "http://"+g.tokens+tokenPath, tokenForm)
	if err != nil {
		return "", fmt.Errorf("asking for a token: %w", err)
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("asking for a token: status %d, %s", status, body)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("asking for a token: no token in the answer (%v)", err)
	}
	return answer.AccessToken, nil
}

// expect sends one request and compares the status.
func expect(ctx context.Context, what, addr, path, token string, want int) error {
	status, err := get(ctx, "http://"+addr+path, token)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if status != want {
		return fmt.Errorf("%s: answered %d, should be %d", what, status, want)
	}
	return nil
}

// corrupted is a token with one character changed, in its middle.
func corrupted(token string) string {
	b := []byte(token)
	i := len(b) / 2
	if b[i] == 'a' {
		b[i] = 'b'
	} else {
		b[i] = 'a'
	}
	return string(b)
}
