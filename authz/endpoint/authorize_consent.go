// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// consentPage is what a consent page was shown for, in its handle.
type consentPage struct {
	Request authorizationRequest `cbor:"1,keyasint"`
	// Subject is the user who is asked.
	Subject string `cbor:"2,keyasint"`
}

// askConsent asks the user, unless nothing needs to be asked.
func (a *authorization) askConsent(ctx context.Context) error {
	// To a native application the answer may reach another program, which has begun
	// all this: there the user is asked each time (RFC 8252 §8.6), whoever made it.
	native := client.IsNative(a.request.RedirectURI)
	switch {
	case a.client.FirstParty && !native && !a.request.Consent:
		a.granted = a.request.Scopes
		return nil
	case !a.request.Consent && !native && a.held.Covers(a.request.Scopes, a.client.OptionalScopes, a.audience()):
		a.granted = a.request.Scopes.Intersect(a.held.Allowed(a.audience()))
		return nil
	case a.request.None:
		return authz.ErrConsentRequired
	}
	page, err := a.consentPage(ctx)
	if err != nil {
		return err
	}
	a.reply = func() error { return a.show(http.StatusOK, page) }
	return nil
}

// consentPage makes the page that asks.
func (a *authorization) consentPage(ctx context.Context) (pages.Consent, error) {
	keeper := a.server.config.Handles
	text, err := keeper.Seal(ctx, forConsent, keeper.Binding(a.w, a.r), pageLifetime,
		&consentPage{a.request, a.account.User.Subject})
	if err != nil {
		return pages.Consent{}, err
	}
	c := a.client.Client
	page := pages.Consent{
		Form:         pages.Form{Action: a.server.config.Prefix + pathConsent, Handle: text, Leads: true},
		Client:       pages.Untrusted(c.DisplayName()),
		ClientID:     pages.Untrusted(c.ID),
		ClientURI:    pages.Untrusted(c.URI),
		RedirectHost: pages.HostOf(a.request.RedirectURI),
		Native:       client.IsNative(a.request.RedirectURI),
		Name:         pages.Untrusted(a.account.User.Name),
		Username:     pages.Untrusted(a.account.User.Username),
		Offline:      c.MayUse(authz.GrantRefreshToken),
		TermsURI:     c.TermsURI,
		PolicyURI:    c.PolicyURI,
	}
	if c.SelfRegistered() {
		page.Owner = a.owner(ctx)
	}
	for _, name := range resourceNames(a.request.Resources) {
		page.Resources = append(page.Resources, pages.Untrusted(name))
	}
	allowed, unticked := a.held.Allowed(a.audience()), a.held.Unticked(a.audience())
	for _, word := range a.request.Scopes {
		page.Scopes = append(page.Scopes, pages.Scope{
			Word: word, Text: a.server.config.ScopeText(word), Optional: c.OptionalScopes.Has(word),
			Ticked: !unticked.Has(word), Granted: allowed.Has(word),
		})
	}
	return page, nil
}

// owner is the name of the user who registered the client.
func (a *authorization) owner(ctx context.Context) pages.Untrusted {
	u, _, err := a.server.config.Users.Known(ctx, a.client.Owner)
	if err != nil {
		return pages.Untrusted(a.client.Owner)
	}
	return pages.Untrusted(u.Username)
}

// consent takes what the user says on the consent page.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) error {
	a := &authorization{exchange: &exchange{server: s, w: w, r: r}}
	a.event.Type = authz.EventAuthorizationRefused
	err := a.take([]step{
		{"see where the form comes from", a.comeFromOurPage},
		{"read the form", a.readConsent},
		{"open the store", a.open},
	})
	for attempt := 1; err == nil && a.reply == nil; attempt++ {
		err = a.take([]step{
			{"see that the page was not used", a.checkPage},
			{"see that the request was not answered", a.checkPushed},
			{"find the client", a.findClient},
			{"check where the answer goes", a.checkTarget},
			{"judge the request", a.judge},
			{"find the user", a.findAsked},
			{"note the generations", a.note},
			{"recall the consent", a.recall},
			{"obey", a.obey},
		})
		if attempt < maxAttempts && errors.Is(err, tokenstore.ErrConflict) {
			err = nil
		}
	}
	return a.finish(err)
}

// comeFromOurPage refuses what another site's page could have sent (row U01).
func (a *authorization) comeFromOurPage(context.Context) error {
	if a.r.Method != http.MethodPost {
		a.w.Header().Set("Allow", http.MethodPost)
		return authz.ErrMethodNotAllowed
	}
	if a.server.config.EarlyData(a.r) {
		return authz.ErrTooEarly // RFC 8470 §5.2
	}
	if !handle.SameOrigin(a.r, a.server.origin) {
		return authz.ErrCrossOrigin
	}
	return nil
}

// readConsent opens the page's handle: what was asked for stands there and nowhere
// else in the form (row C10).
func (a *authorization) readConsent(ctx context.Context) (err error) {
	if a.form, err = readForm(a.w, a.r, pages.FieldScope); err != nil {
		return err
	}
	var shown consentPage
	opened, err := a.server.config.Handles.Open(ctx, a.r, forConsent, a.form.Get(pages.FieldHandle), &shown)
	if errors.Is(err, handle.ErrInvalid) {
		return errExpired
	}
	if err != nil {
		return err
	}
	a.page, a.asked, a.request, a.resumed = &opened, shown, shown.Request, true
	return nil
}

// checkPage makes sure, as far as it can be known before the commit, that the page was
// not used (row C12).
func (a *authorization) checkPage(ctx context.Context) error {
	spent, err := handle.Spent(ctx, a.db, *a.page)
	if err == nil && spent {
		return errExpired
	}
	return err
}

// findAsked makes sure that the user who was asked still is signed in here, and still
// meets the request's demand: since the page was shown they may have signed in anew.
func (a *authorization) findAsked(ctx context.Context) error {
	accounts, err := a.server.config.SignIn.Accounts(ctx, a.r)
	if err != nil {
		return err
	}
	demand := a.demand(nil)
	demand.Subject = a.asked.Subject
	for _, account := range accounts {
		if account.User.Subject != a.asked.Subject {
			continue
		}
		if !a.server.config.SignIn.Satisfies(account, demand) {
			return a.ask(ctx, demand)
		}
		a.account = account
		a.event.Subject = account.User.Subject
		return nil
	}
	return a.answerAlone(ctx)
}

// answerAlone takes the answer of somebody who has signed out since the page was shown,
// perhaps in another tab. Saying no takes no user. For anything else the request begins
// anew: whoever signs in is asked, whatever was allowed before.
func (a *authorization) answerAlone(ctx context.Context) error {
	if a.form.Get(pages.FieldDo) == pages.DoDeny {
		return a.deny(ctx)
	}
	a.request.Consent = true
	to, err := a.back(ctx)
	a.reply = func() error { return a.redirect(to) }
	return err
}

// obey does what the user said.
func (a *authorization) obey(ctx context.Context) error {
	switch a.form.Get(pages.FieldDo) {
	case pages.DoAllow:
		ticked := scope.Of(a.form[pages.FieldScope]...)
		a.granted = slices.DeleteFunc(slices.Clone(a.request.Scopes), func(word string) bool {
			return a.client.OptionalScopes.Has(word) && !ticked.Has(word)
		})
		if len(a.granted) == 0 && len(a.request.Scopes) > 0 {
			return a.deny(ctx)
		}
		return a.issue(ctx)
	case pages.DoDeny:
		return a.deny(ctx)
	case pages.DoAnother:
		a.request.Asked = a.db.Now().UnixMilli() // whom the person picked before does not count
		demand := a.demand(nil)
		demand.Choose = true
		a.request.Choose = true
		return a.ask(ctx, demand)
	}
	return errExpired // no button of ours
}

// deny tells the client that the user said no.
func (a *authorization) deny(ctx context.Context) error {
	change := a.db.NewChange()
	handle.Spend(change, *a.page)
	a.spendPushed(change)
	a.event.Type = authz.EventConsentDenied
	change.Audit(a.auditEntry())
	if _, err := a.db.Commit(ctx, change); err != nil {
		a.event.Type = authz.EventAuthorizationRefused
		return err
	}
	a.record(nil, 0)
	a.reply = func() error { return a.tellError(authz.ErrAccessDenied) }
	return nil
}
