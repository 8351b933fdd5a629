// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"fmt"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/account"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Developers says who may register clients of their own, at the pages below
// `<prefix>/developer`, and which. These have the grant types authorization_code and
// refresh_token, always PKCE, and their users are always asked for their consent.
type Developers struct {
	// Who may: `nobody`, the members of a `group`, or `everybody` who has an account.
	// Who may no more keeps the clients there are. Default: `nobody`.
	Who string `json:"who,omitempty"`

	// The name of the group, with `group`.
	Group string `json:"group,omitempty"`

	// The scopes that such clients may ask for. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// How many clients one user may have, 1 to 500. Default: `20`.
	Limit int `json:"limit,omitempty"`
}

func (d Developers) selfService() account.SelfService {
	return account.SelfService{Who: d.Who, Group: d.Group, Scopes: scope.Of(d.Scopes...), Limit: d.Limit}
}

// ValidateDevelopers reports what is wrong with who may register clients, and which,
// the scopes included.
func (a *App) ValidateDevelopers() error {
	if err := a.Developers.selfService().Validate(); err != nil {
		return err
	}
	for _, word := range a.Developers.Scopes {
		if !a.declared(word) {
			return fmt.Errorf("self_service_scopes: scope %s is not declared", word)
		}
	}
	return nil
}

// accountPages makes the pages for people who are signed in. Those for
// administrators are for the members of a group, if it has a name. It opens nothing.
func (a *App) accountPages(admin string) (*account.Server, error) {
	texts := make(map[string]string, len(a.Scopes))
	for _, s := range a.Scopes {
		texts[s.Name] = s.Text
	}
	return account.New(account.Config{
		Issuer:      a.Issuer,
		Origin:      a.people.origin,
		Prefix:      a.Prefix,
		Store:       a.store,
		SignIn:      a.people.signin,
		Users:       a.users,
		Passkeys:    a.people.passkeys,
		Handles:     a.people.handles,
		Render:      a.people.pages.Render,
		Clients:     a.registry,
		ScopeTexts:  texts,
		SelfService: a.Developers.selfService(),
		AdminGroup:  admin,
		Keys:        accountKeys{a},
		LastUsed:    a.lastUsed,
		EarlyData:   earlyData,
		Recorder:    a.recorder,
	})
}

// lastUsed is when a client was last used for a user, or, without one, at all. It is
// asked for once the app has started.
func (a *App) lastUsed(ctx context.Context, client, subject string) (time.Time, error) {
	return a.runtime.usage.last(ctx, client, subject)
}
