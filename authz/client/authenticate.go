// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Authenticated is a client that has proved who it is; one of method "none" has
// only said so.
type Authenticated struct {
	*Client

	// record is the stored client as it was checked; its key is empty for a
	// client of the configuration.
	record tokenstore.Generation
	// once is the mark of the assertion that it came with.
	once once
}

// Expect makes change hold only while the client's record is still the one that
// was checked: an edit, a new secret or a removal in the meantime wins.
func (a Authenticated) Expect(change *tokenstore.Change) {
	if a.record.Key != "" {
		change.Expect(a.record)
	}
}

// Authenticator finds out which client a request comes from. It is safe for
// concurrent use, and must not be changed while it is used.
type Authenticator struct {
	// Clients are the registered ones. Required.
	Clients *Registry
	// Audience lists what an assertion may be made for: the issuer and nothing else
	// (the direction of RFC 7523bis), unless older clients need the token endpoint's
	// URL too. Without any, no assertion is accepted.
	Audience []string
	// Keys returns where the keys are kept that clients publish at their jwks_uri,
	// waiting for it a bounded time. Without it none of these clients can
	// authenticate.
	Keys func(context.Context) (*jwks.Cache, error)
}

// Authenticate finds the client that a request comes from and checks that it is
// that client (RFC 6749 §2.3), in the way it is registered for. form is the
// parsed body.
//
// One that came with an assertion is authenticated only if the request spends
// that: see [Authenticated.Spend].
//
// Its errors are [authz.ErrInvalidRequest] for more than one method,
// [authz.ErrInvalidClient] for all that fails, one and the same for an unknown
// client, a disabled one, a wrong secret, a wrong signature and a wrong method, and
// [authz.ErrTemporarilyUnavailable] when the store cannot tell.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request, form url.Values) (Authenticated, error) {
	return a.authenticate(ctx, r.Header, form, constantTime)
}

func (a *Authenticator) authenticate(ctx context.Context, header http.Header, form url.Values, secrets comparison) (Authenticated, error) {
	p, err := readPresented(header, form)
	if err != nil {
		return Authenticated{}, err
	}
	found, err := a.Clients.find(ctx, p.id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Authenticated{}, err
	}
	known := err == nil

	// From here on, every refusal has done the same work: the same comparisons, or
	// one check of a signature, and one look for a client that the store does not have.
	who := Authenticated{Client: found.client, record: found.record}
	var matched bool
	refused := error(authz.ErrInvalidClient)
	if p.assertion != nil {
		var why Refusal
		if who.once, why, err = a.judge(ctx, found, p.assertion); err != nil {
			return Authenticated{}, authz.ErrTemporarilyUnavailable.Because(err)
		}
		matched, refused = why == "", why.err()
	} else {
		matched = secrets.match(found.secrets(), p.secrets, found.now) || p.method == authz.AuthNone
	}
	if known && matched && found.client.Method() == p.method {
		return who, nil
	}
	if !found.missed {
		if err := a.Clients.miss(ctx); err != nil {
			return Authenticated{}, err
		}
	}
	return Authenticated{}, refused
}
