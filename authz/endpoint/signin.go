// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Users knows users.
type Users interface {
	granttype.Users
	// Known is Present as far as it can be told without asking a source.
	Known(ctx context.Context, subject string) (*user.User, tokenstore.Generation, error)
}

// SignIn is what the authorization endpoint needs of [signin.Service].
type SignIn interface {
	// Accounts returns who is signed in in the browser that sends r and may act at
	// present as far as is known here, the active one first.
	Accounts(ctx context.Context, r *http.Request) ([]signin.Account, error)
	// Satisfies reports whether an account is all that is demanded.
	Satisfies(a signin.Account, d signin.Demand) bool
	// Confirm reports whether the source of an account still has it. Where it has not,
	// the session is at its end.
	Confirm(ctx context.Context, a signin.Account) (bool, error)
	// Ask has the person before the browser meet a demand, and come back.
	Ask(w http.ResponseWriter, r *http.Request, d signin.Demand) error
	// SignedInto makes change note that a session signs a client in.
	SignedInto(change *tokenstore.Change, session *signin.Session, client string)
}
