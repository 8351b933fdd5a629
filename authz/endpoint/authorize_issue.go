// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// issue remembers the consent and issues a code, in one commit that depends on
// everything that was checked: store, client, user, session and consent. The grant
// begins when the code is redeemed; most that are not, never are.
func (a *authorization) issue(ctx context.Context) error {
	if a.r.Method == http.MethodHead {
		// RFC 9110 §9.2.1: a safe method hands out nothing.
		a.reply = func() error {
			a.w.Header().Set("Cache-Control", "no-store")
			a.w.WriteHeader(http.StatusOK)
			return nil
		}
		return nil
	}
	if confirmed, err := a.confirm(ctx); !confirmed {
		return err
	}
	change := a.db.NewChange()
	a.client.Expect(change)
	now := a.db.Now()
	anchors := append(append([]tokenstore.Generation(nil), a.anchors...), a.account.Anchors...)
	given := a.page != nil || !a.held.Allowed(a.audience()).Contains(a.granted) ||
		!a.held.Covers(a.request.Scopes, a.client.OptionalScopes, a.audience())
	if given {
		anchors = append(anchors, a.held.Give(change, now, a.request.Scopes, a.granted, a.audience()))
	} else {
		anchors = append(anchors, a.held.Keep(change))
	}
	session := a.account.Session
	code := granttype.Code{
		Client: a.client.ID, Challenge: a.request.Challenge, Method: a.request.Method,
		Subject: a.account.User.Subject, Session: session.ID, Scopes: a.granted, Audience: a.audience(),
		ACR: session.ACR, AuthTime: session.AuthTime.Unix(),
	}
	if a.request.RedirectNamed {
		code.RedirectURI = a.request.RedirectURI
	}
	raw := granttype.NewCode(change, now, a.server.config.CodeLifetime, &code, anchors...)
	a.server.config.SignIn.SignedInto(change, session, a.client.ID)
	if a.page != nil {
		handle.Spend(change, *a.page)
	}
	a.spendPushed(change)
	a.event.Type, a.event.Grant = authz.EventCodeIssued, code.Grant
	change.Audit(a.auditEntry())
	if _, err := a.db.Commit(ctx, change); err != nil {
		a.event.Type, a.event.Grant = authz.EventAuthorizationRefused, ""
		return err
	}
	if given {
		a.server.config.Recorder.Record(ctx, authz.Event{
			Type: authz.EventConsentGiven, Outcome: authz.Allowed, Client: a.client.ID, Subject: code.Subject, Actor: code.Subject,
		})
	}
	a.record(nil, 0)
	a.server.config.SecretInURL(a.r) // the answer's Location would be logged
	a.reply = func() error { return a.tell(pages.Field{Name: authz.ParamCode, Value: raw}) }
	return nil
}

// confirm makes sure that the user still has the account elsewhere, if it is there:
// pages go by what is known here, and a code gives access. Who has it no more is asked
// to sign in, as whoever never was.
func (a *authorization) confirm(ctx context.Context) (bool, error) {
	confirmed, err := a.server.config.SignIn.Confirm(ctx, a.account)
	switch {
	case err != nil || confirmed:
		return confirmed, err
	case a.request.None:
		return false, authz.ErrLoginRequired // OpenID Connect Core §3.1.2.6
	}
	return false, a.ask(ctx, a.demand(nil))
}
