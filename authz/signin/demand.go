// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Account is a user who is signed in in a browser, and may act at present.
type Account struct {
	User    *user.User
	Session *Session
	// Anchors are the generations of user and session: whatever is made for the
	// account in this browser has them among its own.
	Anchors []tokenstore.Generation
	// Chosen is when the user signed in here, or was picked among others.
	Chosen time.Time

	now time.Time // when all this was so
}

// Demand is what somebody wants of the person before a browser. With a negative
// MaxAge and nothing else it is content with anybody.
type Demand struct {
	// Return is where the browser is sent afterwards, with 303: a path on the
	// issuer's host, and a query if need be. Default: the account page.
	Return string
	// Hint is the user name to begin with (login_hint). It may be anything.
	Hint string
	// ACR lists the classes of which one is wanted, or a stronger one. Values other
	// than authz.ACR… are passed over: whoever must have one of those refuses first.
	ACR []string
	// MaxAge is how long before Asked the user may have signed in; negative: any time.
	MaxAge time.Duration
	// Since is when the user must have signed in at the earliest (prompt=login).
	Since time.Time
	// Asked is when all this was first asked for; zero: now. Whoever asks anew when
	// the browser comes back gives the same time again: MaxAge and Choose go by it,
	// and could otherwise never be met.
	Asked time.Time
	// Subject is the user who will do; empty: anybody.
	Subject string
	// Choose has the person pick an account, after Asked, even if there is only one
	// (prompt=select_account).
	Choose bool
	// Application is whom the person signs in for, to be shown; "": the gateway itself.
	Application string
}

// order is what of a demand travels through pages. How recent the sign-in must be
// does not: whatever is signed in with now is the most recent, and whoever
// demanded something looks again when the browser comes back.
type order struct {
	Return      string   `cbor:"1,keyasint,omitempty"`
	Hint        string   `cbor:"2,keyasint,omitempty"`
	ACR         []string `cbor:"3,keyasint,omitempty"`
	Subject     string   `cbor:"4,keyasint,omitempty"`
	Application string   `cbor:"5,keyasint,omitempty"`
}

func (d Demand) order() order { return order{d.Return, d.Hint, d.ACR, d.Subject, d.Application} }

// Satisfies reports whether an account, as [Service.Accounts] has returned it, is
// all that is demanded.
func (s *Service) Satisfies(a Account, d Demand) bool {
	return fresh(a, d) && strong(a.Session.ACR, d.ACR)
}

// fresh is Satisfies but for the strength.
func fresh(a Account, d Demand) bool {
	if d.Subject != "" && a.Session.Subject != d.Subject {
		return false
	}
	if d.MaxAge >= 0 && a.Session.AuthTime.Before(d.asked(a).Add(-d.MaxAge)) {
		return false
	}
	return !a.Session.AuthTime.Before(d.Since) && picked(a, d)
}

// picked reports whether the person has picked the account, if that is demanded.
func picked(a Account, d Demand) bool { return !d.Choose || !a.Chosen.Before(d.asked(a)) }

func (d Demand) asked(a Account) time.Time {
	if d.Asked.IsZero() {
		return a.now
	}
	return d.Asked
}

// strengths are the classes, the weakest first.
var strengths = []string{authz.ACROneFactor, authz.ACRTwoFactors}

// strong reports whether a class is one of those wanted, or stronger than one.
func strong(acr string, wanted []string) bool {
	weakest := -1
	for _, w := range wanted {
		if i := slices.Index(strengths, w); i >= 0 && (weakest < 0 || i < weakest) {
			weakest = i
		}
	}
	return slices.Index(strengths, acr) >= weakest
}

// Ask shows whatever page is needed to meet a demand: the account chooser, the
// second factor, or the sign-in page. It is for a request that the browser sends to
// open a page. Trouble is returned as of [Service.ServeHTTP].
func (s *Service) Ask(w http.ResponseWriter, r *http.Request, d Demand) error {
	v, err := s.visit(w, r)
	if err != nil {
		return err
	}
	v.progress.Order = d.order()
	return v.finish(v.ask(r.Context(), d))
}

func (v *visit) ask(ctx context.Context, d Demand) error {
	accounts, err := v.Accounts(ctx, v.r)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		// Only strength is missing: the password need not be asked for again.
		if fresh(a, d) {
			return v.raise(ctx, a)
		}
		if d.Subject == "" {
			break // the active account is the one to go on with
		}
	}
	if d.Choose && len(accounts) > 0 {
		if !picked(accounts[0], d) {
			return v.showChooser(ctx, http.StatusOK)
		}
		v.progress.Order.Hint = accounts[0].User.Username // who was picked signs in anew
	}
	return v.showSignIn(ctx, http.StatusOK)
}

// raise asks a user who is signed in for one more proof.
func (v *visit) raise(ctx context.Context, a Account) error {
	set, err := factor.Load(ctx, v.db, a.Session.Subject)
	if err != nil {
		return err
	}
	v.progress.Subject, v.progress.Methods, v.progress.Raise = a.Session.Subject, a.Session.methods, a.Session.ID
	v.progress.Proved = v.db.Now().UnixMilli()
	return v.askFactor(ctx, a.User, set)
}
