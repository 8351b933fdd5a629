// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// accountPages adds the pages about the visitor's own account.
func (s *Server) accountPages() {
	s.add(page{path: pages.PathAccount, show: (*visit).showApplications, do: map[string]func(*visit) error{
		pages.DoRevoke: (*visit).revokeApplication,
	}})
	s.add(page{path: pages.PathAccountSessions, show: (*visit).showSessions, do: map[string]func(*visit) error{
		pages.DoEnd: (*visit).endSession, pages.DoEndOthers: (*visit).endOtherSessions,
	}})
	s.add(page{path: pages.PathAccountSecurity, recent: true, show: (*visit).showSecurity, do: map[string]func(*visit) error{
		pages.DoPasskeyAdd: (*visit).addPasskey, pages.DoPasskeyRemove: (*visit).removePasskey,
		pages.DoTOTPBegin: (*visit).beginTOTP, pages.DoTOTPConfirm: (*visit).confirmTOTP, pages.DoTOTPRemove: (*visit).removeTOTP,
		pages.DoRecoveryRenew: (*visit).renewRecovery, pages.DoExport: (*visit).export,
	}})
}

// showApplications shows what has access.
func (v *visit) showApplications() error {
	shell, err := v.shell()
	if err != nil {
		return err
	}
	page := pages.AccountHome{Shell: shell}
	if page.Applications, err = v.applications(v.subject()); err != nil {
		return err
	}
	return v.render(200, page)
}

// revokeApplication ends what the visitor allows a client. It holds at the very
// next request of the client. What was ended already, in another tab perhaps, is so.
func (v *visit) revokeApplication() error {
	if err := v.endConsent(v.subject(), v.field(pages.FieldClient)); err != nil && !errors.Is(err, errNotHere) {
		return err
	}
	return v.done(v.self(), pages.MessageAccessRevoked)
}

// applications lists the clients that have access to a user's data, the one that
// got it last first.
func (v *visit) applications(subject string) ([]pages.Application, error) {
	consents, err := v.consents(subject)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(consents, func(a, b *consent.Consent) int { return cmp.Compare(b.Changed, a.Changed) })
	applications := make([]pages.Application, 0, len(consents))
	for _, c := range consents {
		a, err := v.application(c)
		if err != nil {
			return nil, err
		}
		applications = append(applications, a)
	}
	return applications, nil
}

// scopes are words of permission with what they mean.
func (s *Server) scopes(set scope.Set) []pages.Scope {
	scopes := make([]pages.Scope, 0, len(set))
	for _, word := range set {
		scopes = append(scopes, pages.Scope{Word: word, Text: s.config.ScopeTexts[word], Granted: true})
	}
	return scopes
}

// client returns a client, also a disabled one, or nil if it is gone.
func (v *visit) client(id string) (*client.Client, error) {
	for _, c := range v.config.Clients.ConfiguredClients() {
		if c.ID == id {
			return c, nil
		}
	}
	c, err := client.Get(v.r.Context(), v.db, id)
	if errors.Is(err, client.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

// owner names who registered a client, "" where the operator did.
func (v *visit) owner(c *client.Client) (pages.Untrusted, error) {
	if c.Owner == "" {
		return "", nil
	}
	return v.username(c.Owner)
}

// username is what to call a user, or the subject of one who is gone.
func (v *visit) username(subject string) (pages.Untrusted, error) {
	u, err := v.config.Users.BySubject(v.r.Context(), subject)
	switch {
	case errors.Is(err, user.ErrNotFound):
		return pages.Untrusted(subject), nil
	case err != nil:
		return "", err
	}
	return pages.Untrusted(u.Value.Username), nil
}

// redirectHost is where a client sends its users back to, or "" if that is not one
// place: which of them a user came to is not known here.
func redirectHost(c *client.Client) pages.Host {
	var host pages.Host
	for i, uri := range c.RedirectURIs {
		if h := pages.HostOf(uri); i == 0 {
			host = h
		} else if h != host {
			return ""
		}
	}
	return host
}

// hostOf is the host of an origin.
func hostOf(origin string) string {
	_, host, _ := strings.Cut(origin, "://")
	return host
}
