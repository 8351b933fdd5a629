// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
)

// attempt is a request's attempt to authenticate as a client, which may be a
// guess. The zero value is one that nobody counts.
type attempt struct {
	limits *guess.Limits
	try    guess.Try
}

// mayGuess returns [authz.ErrSlowDown] to who has failed too often as this
// client from this address, whether the secret is right this time or not, and
// whether there is such a client or not. The same client elsewhere is none
// the worse for it.
func (x *exchange) mayGuess(ctx context.Context) (a attempt, err error) {
	if x.server.config.Guesses == nil {
		return attempt{}, nil
	}
	if a.limits, err = x.server.config.Guesses(ctx); err != nil {
		return attempt{}, err
	}
	a.try = guess.Try{Kind: guess.Client, Account: client.PresentedID(x.r.Header, x.form), Address: x.server.config.Address(x.r)}
	if wait := a.limits.Check(a.limits.Now(), a.try); wait > 0 {
		return attempt{}, authz.ErrSlowDown.After(wait)
	}
	return a, nil
}

// failed counts the attempt if err says that it was wrong.
func (a attempt) failed(err error) {
	if a.limits != nil && errors.Is(err, authz.ErrInvalidClient) {
		a.limits.Failed(a.limits.Now(), a.try)
	}
}

// mayPush returns [authz.ErrSlowDown] to who has pushed too many requests in the name
// of clients that need not prove who they are: each takes room in the store for a while.
func (x *exchange) mayPush(ctx context.Context) error {
	if x.server.config.Guesses == nil || x.client.Confidential() {
		return nil
	}
	limits, err := x.server.config.Guesses(ctx)
	if err != nil {
		return err
	}
	if wait := limits.Admit(limits.Now(), guess.Try{Kind: guess.Push, Address: x.server.config.Address(x.r)}); wait > 0 {
		return authz.ErrSlowDown.After(wait) // RFC 9126 §2.3: 429
	}
	return nil
}

// connectionAddress is the address at the other end of the connection.
func connectionAddress(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a socket of another kind
	}
	return at.Addr()
}
