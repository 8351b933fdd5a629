// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Authenticated is a client that has proved who it is; one of method "none" has
// only said so.
type Authenticated struct {
	*Client

	// record is the stored client as it was checked; its key is empty for a
	// client of the configuration.
	record tokenstore.Generation
}

// Expect makes change hold only while the client's record is still the one that
// was checked: an edit, a new secret or a removal in the meantime wins.
func (a Authenticated) Expect(change *tokenstore.Change) {
	if a.record.Key != "" {
		change.Expect(a.record)
	}
}

// Authenticate finds the client that a request comes from and checks that it is
// that client (RFC 6749 §2.3), in the way it is registered for. form is the
// parsed body.
//
// Its errors are [authz.ErrInvalidRequest] for more than one method,
// [authz.ErrInvalidClient] for all that fails, one and the same for an unknown
// client, a disabled one, a wrong secret and a wrong method, and
// [authz.ErrTemporarilyUnavailable] when the store cannot tell.
func Authenticate(ctx context.Context, registry *Registry, r *http.Request, form url.Values) (Authenticated, error) {
	return authenticate(ctx, registry, r.Header, form, constantTime)
}

func authenticate(ctx context.Context, registry *Registry, header http.Header, form url.Values, secrets comparison) (Authenticated, error) {
	p, err := readPresented(header, form)
	if err != nil {
		return Authenticated{}, err
	}
	found, err := registry.find(ctx, p.id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Authenticated{}, err
	}
	known := err == nil

	// From here on, every refusal has done the same work: the same comparisons,
	// and one look for a client that the store does not have.
	matched := secrets.match(found.secrets(), p.secrets, found.now)
	if p.method == authz.AuthNone {
		matched = true
	}
	if known && matched && found.client.Method() == p.method {
		return Authenticated{Client: found.client, record: found.record}, nil
	}
	if !found.missed {
		if err := registry.miss(ctx); err != nil {
			return Authenticated{}, err
		}
	}
	return Authenticated{}, authz.ErrInvalidClient
}
