// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// An assertion that authenticates a client is spent by the request that it
// authenticates, however that is answered (RFC 7523 §3, item 7): of all requests
// that carry it, at any endpoint, one gets an answer, and the others get
// invalid_client. Only trouble of ours leaves it unspent, so that the client can
// repeat the request.
//
// It is spent in the same commit as what the request changes. So a token costs
// one commit whichever way its client authenticates, and there is no moment at
// which one has happened without the other. A request that changes nothing
// spends it in a commit of its own, before the answer.
//
// A conflict does not tell whether it was the assertion that somebody else had
// spent or the client that somebody had edited. So the next attempt does not
// guess: it spends the assertion by itself, where nothing else can conflict, and
// goes on only if that succeeds.

// assertionUse is how far the spending of a request's assertion has come.
type assertionUse struct {
	tried bool // the request was authenticated before, and then met a conflict
	spent bool // this request has spent it
}

// checkUnspent makes sure, as far as it can be known before a commit, that the
// assertion authenticates no other request.
func (x *exchange) checkUnspent(ctx context.Context, who client.Authenticated) error {
	if !who.Asserted() || x.use.spent {
		return nil
	}
	if x.use.tried {
		return x.spend(ctx, who)
	}
	x.use.tried = true
	db, err := x.server.config.Store(ctx)
	if err != nil {
		return err
	}
	return who.CheckUnspent(ctx, db)
}

// commit commits a change, and spends the assertion with it.
func (x *exchange) commit(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change) error {
	if !x.use.spent {
		x.client.Spend(change)
	}
	_, err := db.Commit(ctx, change)
	x.use.spent = x.use.spent || err == nil
	return err
}

// spend spends the assertion in a commit of its own.
func (x *exchange) spend(ctx context.Context, who client.Authenticated) error {
	db, err := x.server.config.Store(ctx)
	if err != nil {
		return err
	}
	change := db.NewChange()
	who.Spend(change)
	_, err = db.Commit(ctx, change)
	if errors.Is(err, tokenstore.ErrConflict) {
		return authz.ErrInvalidClient.Because(client.RefusedReplay) // another request was first
	}
	x.use.spent = err == nil
	return err
}

// spendInAnyCase spends the assertion of a request that ended, with err, before
// it had committed anything. It returns how the request ends then.
func (x *exchange) spendInAnyCase(err error) error {
	if x.client.Client == nil || !x.client.Asserted() || x.use.spent {
		return err
	}
	if known := (*authz.Error)(nil); err != nil && (!errors.As(err, &known) || known.Status >= http.StatusInternalServerError) {
		return err
	}
	spend := func(ctx context.Context) error { return x.spend(ctx, x.client) }
	if failed := run(x.r.Context(), []step{{"spend the assertion", spend}}); failed != nil {
		return failed
	}
	return err
}
