// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// claims are what an issuer says about a token, in the token or in its answer.
type claims map[string]any

const (
	// maxText is the length in bytes of the longest subject, client id or name.
	maxText = 1024
	// maxList is the number of texts in the longest list that is read.
	maxList = 256
	// latest is the last moment that a claim can name, in seconds: the year 9999.
	latest = 253402300799
)

// Reasons for refusals, for logs. None repeats what a token says.
var (
	errClaimType  = errors.New("a claim is of another type, or longer, than it should be")
	errNoClient   = errors.New("no claim names the client") // RFC 9068 §2.2: client_id is required
	errNoExpiry   = errors.New("there is no exp")
	errNoAudience = errors.New("there is no aud")
	errExpired    = errors.New("it has expired")
	errNotYet     = errors.New("it is not valid yet")
)

// text returns a claim that is one text, "" when there is none.
func (c claims) text(name string) (string, error) {
	switch value := c[name].(type) {
	case nil:
		return "", nil
	case string:
		if len(value) <= maxText {
			return value, nil
		}
	}
	return "", errClaimType
}

// texts returns a claim that is one text or a list of them.
func (c claims) texts(name string) ([]string, error) {
	switch value := c[name].(type) {
	case nil:
		return nil, nil
	case string:
		return []string{value}, nil
	case []any:
		list := make([]string, len(value))
		for i, item := range value {
			text, ok := item.(string)
			if !ok || len(value) > maxList {
				return nil, errClaimType
			}
			list[i] = text
		}
		return list, nil
	}
	return nil, errClaimType
}

// moment returns a claim that is a NumericDate (RFC 7519 §2), the zero time when
// there is none.
func (c claims) moment(name string) (time.Time, error) {
	switch value := c[name].(type) {
	case nil:
		return time.Time{}, nil
	case int64:
		if value > 0 && value <= latest {
			return time.Unix(value, 0).UTC(), nil
		}
	case float64:
		if value > 0 && value <= latest {
			whole, part := math.Modf(value)
			return time.Unix(int64(whole), int64(part*1e9)).UTC(), nil
		}
	}
	return time.Time{}, errClaimType
}

// scopes returns the scopes, and whether any claim holds some. A word that is
// none of RFC 6749 §3.3 can meet no requirement and is left out.
func (c claims) scopes(claim string) (scope.Set, bool, error) {
	if claim == "" {
		claim = "scope"
		if c[claim] == nil {
			claim = "scp" // Okta, Microsoft
		}
	}
	list, err := c.texts(claim)
	if err != nil || c[claim] == nil {
		return nil, false, err
	}
	if text, ok := c[claim].(string); ok {
		list = strings.Fields(text)
	}
	if len(list) > maxList {
		return nil, false, errClaimType
	}
	return scope.Of(slices.DeleteFunc(list, func(word string) bool { return !scope.Valid(word) })...), true, nil
}

// clientClaims name the client: RFC 9068; OpenID Connect, Keycloak, Microsoft;
// Okta; Microsoft's first version.
var clientClaims = []string{"client_id", "azp", "cid", "appid"}

// client returns the client that the token was issued to.
func (c claims) client() (string, error) {
	for _, name := range clientClaims {
		if id, err := c.text(name); err != nil || id != "" {
			return id, err
		}
	}
	return "", errNoClient
}

// machine reports whether a client got the token for itself, so that its
// subject is nobody (RFC 9068 §2.2; Auth0; Microsoft).
func (c claims) machine(subject, client string) bool {
	return subject == client || c["gty"] == "client-credentials" || c["idtyp"] == "app"
}

// principal makes a principal of the claims, all but what only one kind of
// token has. It checks types and times.
func (i *issuer) principal(c claims, now time.Time) (*authz.Principal, error) {
	p := &authz.Principal{Issuer: i.Issuer.Issuer, Scheme: authz.SchemeBearer}
	var errs [9]error
	var notBefore time.Time
	p.Client, errs[0] = c.client()
	p.Subject, errs[1] = c.text("sub")
	p.Audience, errs[2] = c.texts("aud")
	p.Expires, errs[3] = c.moment("exp")
	p.IssuedAt, errs[4] = c.moment("iat")
	notBefore, errs[5] = c.moment("nbf")
	p.AuthTime, errs[6] = c.moment("auth_time")
	p.ACR, errs[7] = c.text("acr")
	p.Scopes, _, errs[8] = c.scopes(i.ScopeClaim)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if len(p.Audience) == 0 {
		return nil, errNoAudience
	}
	leeway := i.leeway()
	if soon := now.Add(leeway); notBefore.After(soon) || p.IssuedAt.After(soon) {
		return nil, errNotYet
	}
	if !p.Expires.IsZero() {
		if p.Expires = p.Expires.Add(leeway); !now.Before(p.Expires) {
			return nil, errExpired
		}
	}
	if c["cnf"] != nil {
		// RFC 7800 §3.1: whatever key it is bound to, the bearer has not proved to
		// hold it.
		p.ConfirmationKey = "cnf"
	}
	if c.machine(p.Subject, p.Client) {
		p.Subject = ""
	}
	if i.UsernameClaim != "" && p.Subject != "" {
		var err error
		if p.Username, err = c.text(i.UsernameClaim); err != nil {
			return nil, err
		}
	}
	p.Claims = c
	return p, nil
}
