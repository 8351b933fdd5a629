// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// briefly is how long a token lives here, at least, whose issuer does not say
// when it ends: connections that last are asked about again long before.
const briefly = 30 * time.Second

var (
	errAnswer   = errors.New("the answer is no introspection response")
	errInactive = errors.New("its issuer says it is not active")
)

// ask asks the issuer about a token (RFC 7662 §2). An error is trouble; a refusal is
// a verdict.
func (i *issuer) ask(ctx context.Context, client *fetch.Client, raw string, now func() time.Time) (*verdict, error) {
	asked := now() // before the answer is made: what it says is at least as old
	answer, err := client.Do(ctx, fetch.Request{
		URL: i.Introspection.URL,
		By:  i.by,
		Form: url.Values{
			authz.ParamToken:  {raw},
			"token_type_hint": {"access_token"},
		},
		Repeatable:    true,
		Authorization: i.authorization,
	})
	if err == nil && answer.Status != http.StatusOK {
		err = fmt.Errorf("status %d", answer.Status) // 401: our own credentials are wrong
	}
	var c claims
	if err == nil {
		c, err = readAnswer(answer.Body)
	}
	if err != nil {
		return nil, authz.ErrTemporarilyUnavailable.Because(fmt.Errorf("introspection at %s: %w", i.Issuer.Issuer, err))
	}
	p, err := i.judgeAnswer(c, asked)
	if err != nil {
		return &verdict{refused: refusal(err), until: asked.Add(min(i.Introspection.cache(), refusedFor))}, nil
	}
	v := &verdict{principal: p, until: asked.Add(i.Introspection.cache())}
	if p.Expires.IsZero() {
		p.Expires = asked.Add(max(i.Introspection.cache(), briefly))
	}
	if p.Expires.Before(v.until) {
		v.until = p.Expires
	}
	return v, nil
}

// readAnswer reads an introspection response. One that does not say whether the
// token is active says nothing.
func readAnswer(body []byte) (claims, error) {
	var c claims
	if json.Unmarshal(body, (*jose.Claims)(&c)) != nil {
		return nil, errAnswer // the library's error repeats what it read
	}
	if _, ok := c["active"].(bool); !ok { // §2.2: required
		return nil, errAnswer
	}
	return c, nil
}

// judgeAnswer judges an introspection response (RFC 7662 §2.2).
func (i *issuer) judgeAnswer(c claims, now time.Time) (*authz.Principal, error) {
	if c["active"] != true {
		return nil, errInactive
	}
	if c["iss"] != nil && c["iss"] != i.Issuer.Issuer {
		return nil, errIssuer
	}
	// Refresh tokens are active too, so the answer must say which kind it is:
	// by token_type as §2.2 has it, or as some servers put it.
	if c["token_type"] == nil && c["token_use"] == nil && c["typ"] == nil ||
		!c.called("token_type", authz.TokenTypeBearer) || !c.called("token_use", "access_token", "access") || !c.called("typ", authz.TokenTypeBearer, typeAccess) {
		return nil, errOther
	}
	return i.principal(c, now)
}

// basic returns the value of an Authorization header (RFC 6749 §2.3.1: both
// parts are form-encoded first).
func basic(id string, secret Secret) string {
	pair := url.QueryEscape(id) + ":" + url.QueryEscape(string(secret))
	return authz.SchemeBasic + " " + base64.StdEncoding.EncodeToString([]byte(pair))
}
