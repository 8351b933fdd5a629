// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Verifier says who an access token stands for. It is safe for concurrent use.
type Verifier struct {
	// Issuer is the identifier of this authorization server.
	Issuer string
	// Store returns the open store. It is called for every request.
	Store func(context.Context) (*tokenstore.DB, error)
	// Formats are those of tokens that are accepted, tried in order.
	Formats []Format
	// People knows the users of tokens. With nil, tokens of users are as good as what
	// they depend on, and name nobody.
	People People
}

// Authenticate returns the principal of a bearer token, or of the cookie of a guarded
// site, which has neither client nor grant nor scopes. It states facts:
// whether they suffice, and whether the client may still act, is for the caller
// to decide. Nothing is allocated for a token that is in the cache, nor for a
// text that is no token of ours.
//
// The error is [authz.ErrInvalidToken] for whatever is not a valid access token,
// and [authz.ErrTemporarilyUnavailable] when the store cannot tell: trouble of
// ours is never held against the token, because a client throws away a token
// that is called invalid.
func (v *Verifier) Authenticate(ctx context.Context, c authz.Credential) (authz.Principal, error) {
	rec, err := v.presented(ctx, c)
	if err != nil {
		return authz.Principal{}, err
	}
	t := &rec.Value
	var person Person
	if v.People != nil && t.Subject != "" { // a machine's token costs nothing more
		if person, err = v.People.Person(ctx, t.Subject); err != nil {
			return authz.Principal{}, err
		}
	}
	return authz.Principal{
		Issuer:          v.Issuer,
		Subject:         t.Subject,
		Username:        person.Username,
		Client:          t.Client,
		Scopes:          t.Scopes,
		Audience:        t.Audience,
		Grant:           t.Grant,
		Session:         t.Session,
		Scheme:          c.Scheme,
		IssuedAt:        time.Unix(t.IssuedAt, 0).UTC(),
		Expires:         rec.Expires,
		ConfirmationKey: t.ConfirmationKey,
		ACR:             t.ACR,
		AuthTime:        authTime(t.AuthTime),
		Claims:          merge(t.Claims, person.Claims),
	}, nil
}

// presented returns the facts of what a credential of its scheme may be. No kind of
// secret passes for another.
func (v *Verifier) presented(ctx context.Context, c authz.Credential) (*tokenstore.Record[Record], error) {
	switch c.Scheme {
	case authz.SchemeSession:
		return v.siteSession(ctx, c.Value)
	case authz.SchemeBearer:
		rec, err := v.Find(ctx, c.Value)
		// A token bound to a key proves nothing by itself (RFC 9449 §7.2).
		if err == nil && (rec.Value.Kind != Access || rec.Value.ConfirmationKey != "") {
			return nil, authz.ErrInvalidToken
		}
		return rec, err
	}
	return nil, authz.ErrInvalidToken
}

// authTime is the moment of that many seconds since 1970, or the zero time for 0,
// which is what a token has in whose making nobody signed in.
func authTime(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// merge returns the claims of a token with those of its user, who is asked at every
// request and therefore is right where both have one. It copies only where both have
// some.
func merge(stated, present map[string]any) map[string]any {
	switch {
	case len(stated) == 0:
		return present
	case len(present) == 0:
		return stated
	}
	claims := maps.Clone(stated)
	maps.Copy(claims, present)
	return claims
}

// Find returns the facts of a valid token of any kind: shared and read-only. Its user
// is not asked for. Errors are those of Authenticate.
func (v *Verifier) Find(ctx context.Context, raw string) (*tokenstore.Record[Record], error) {
	format := v.FormatOf(raw)
	if format == nil {
		return nil, authz.ErrInvalidToken
	}
	db, err := v.Store(ctx)
	if err != nil {
		return nil, authz.ErrTemporarilyUnavailable.Because(err)
	}
	return found(format.Find(ctx, db, raw))
}

// found makes what the store says of a secret what a caller is told.
func found(rec *tokenstore.Record[Record], err error) (*tokenstore.Record[Record], error) {
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil, authz.ErrInvalidToken
	case err != nil:
		return nil, authz.ErrTemporarilyUnavailable.Because(err)
	}
	return rec, nil
}

// Recognizes reports, from the text alone, whether raw may be a token of ours, or
// one with a typing error, or another secret of ours: nobody else is to see it.
func (v *Verifier) Recognizes(raw string) bool { return isOurs(raw) || v.FormatOf(raw) != nil }

// FormatOf returns the format that recognizes raw, or nil.
func (v *Verifier) FormatOf(raw string) Format {
	for _, f := range v.Formats {
		if f.Recognizes(raw) {
			return f
		}
	}
	return nil
}
