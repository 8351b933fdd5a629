// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/site"
)

// buildVisits makes what brings people from guarded sites to the issuer and back.
func (a *App) buildVisits() error {
	var err error
	a.people.visits, err = site.New(site.Config{
		Issuer:      a.people.origin,
		Prefix:      a.Prefix,
		Store:       a.store,
		People:      visitors{a.people.signin},
		Guarded:     a.acceptsSessions,
		Page:        a.visitProblem,
		SecretInURL: skipAccessLog,
	})
	return err
}

// acceptsSessions reports whether a guard of this configuration accepts sessions at a
// site. It is asked once the store is there, so once the guards have started.
func (a *App) acceptsSessions(site string) bool {
	return slices.ContainsFunc(a.guards, func(p *Protect) bool {
		return p.accepts(AcceptSession) && slices.ContainsFunc(p.identities(), func(s string) bool { return authz.SameResource(s, site) })
	})
}

// visitProblem is the page for what is wrong with a request to the issuer's part.
func (a *App) visitProblem(w http.ResponseWriter, r *http.Request, refusal *authz.Error) error {
	code := refusal.Code
	if errors.Is(refusal, authz.ErrInvalidRequest) {
		code = "expired" // as people see it
	}
	return a.people.pages.Render(w, r, refusal.Status, pages.Problem{Code: code, Summary: refusal.Description})
}

// visitors asks the sign-in who is there.
type visitors struct{ signin *signin.Service }

func demand(d site.Demand) signin.Demand {
	return signin.Demand{Return: d.Return, ACR: d.ACRValues, MaxAge: -1, Since: d.Since, Subject: d.Subject, Application: d.Site}
}

// SignedIn implements [site.People].
func (v visitors) SignedIn(r *http.Request, d site.Demand) (site.Account, bool, error) {
	accounts, err := v.signin.Accounts(r.Context(), r)
	if err != nil {
		return site.Account{}, false, err
	}
	if d.Subject == "" && len(accounts) > 1 {
		accounts = accounts[:1] // the active one, and nobody whom the person has put aside
	}
	for _, a := range accounts {
		if v.signin.Satisfies(a, demand(d)) {
			if confirmed, err := v.signin.Confirm(r.Context(), a); !confirmed {
				return site.Account{}, false, err
			}
			return site.Account{
				Subject: a.Session.Subject, Session: a.Session.ID, ACR: a.Session.ACR,
				AuthTime: a.Session.AuthTime, Until: a.Session.Expires, Anchors: a.Session.Anchors(),
			}, true, nil
		}
	}
	return site.Account{}, false, nil
}

// Ask implements [site.People].
func (v visitors) Ask(w http.ResponseWriter, r *http.Request, d site.Demand) error {
	return v.signin.Ask(w, r, demand(d))
}

// acceptSessions has the guard accept sessions, where that is configured.
func (p *Protect) acceptSessions(config *protect.Config) {
	config.Trust = p.CSRFTrust
	if !p.accepts(AcceptSession) {
		return
	}
	config.Sessions = &protect.Sessions{Scopes: scope.Of(p.SessionScopes...), Visits: (*site.Service)(nil)}
	if p.app != nil {
		config.Sessions.Visits = p.app.people.visits
	}
}

// checkSessions returns what keeps people from signing in at the sites of a guard that
// accepts sessions.
func (p *Protect) checkSessions(served bool) error {
	if !p.accepts(AcceptSession) {
		return nil
	}
	if !served {
		return errors.New("accept session: nothing serves the pages to sign in at: put oauth2_server into the site of the issuer")
	}
	if len(p.identities()) == 0 {
		return errors.New("accept session: browsers must find back here, and the site has no address of its own: name it with the subdirective resource")
	}
	for _, address := range p.identities() {
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("accept session: browsers must find back here, and %s is no address of a site: name it with the subdirective resource", address)
		}
	}
	return nil
}

// atIssuer reports whether the guard stands at the issuer's own host, where browsers
// send its cookies.
func (p *Protect) atIssuer() bool {
	return slices.ContainsFunc(p.identities(), func(address string) bool {
		u, err := url.Parse(address)
		return err == nil && u.Scheme+"://"+u.Host == p.app.people.origin
	})
}

// accepts reports whether the guard accepts a kind of proof.
func (p *Protect) accepts(what string) bool { return slices.Contains(p.Accept, what) }
