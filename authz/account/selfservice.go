// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// Values of [SelfService.Who].
const (
	Nobody    = "nobody"
	Group     = "group"
	Everybody = "everybody"
)

// DefaultOwned is how many clients a user may have.
const DefaultOwned = 20

// SelfService is who may register clients of their own, and what these may be.
type SelfService struct {
	// Who may: [Nobody], the members of a [Group], or [Everybody] who has an account.
	// Default: nobody.
	Who string
	// Group is the name of the group.
	Group string
	// Scopes are those that the clients may ask for. Default: none.
	Scopes scope.Set
	// Limit is how many clients one user may have, 1 to [client.MaxOwned].
	// Default: [DefaultOwned].
	Limit int
}

// Validate reports what is wrong with it.
func (s SelfService) Validate() error {
	switch {
	case s.Who != "" && !slices.Contains([]string{Nobody, Group, Everybody}, s.Who):
		return fmt.Errorf("developers: %q is none of %s, %s and %s", s.Who, Nobody, Group, Everybody)
	case (s.Who == Group) != (s.Group != ""):
		return errors.New("developers: a group is named with `group`, and only then")
	case s.Limit < 0 || s.Limit > client.MaxOwned:
		return fmt.Errorf("developers: a user may have 1 to %d clients", client.MaxOwned)
	case (s.Who == "" || s.Who == Nobody) && len(s.Scopes) > 0:
		return errors.New("self_service_scopes: nobody may register clients, see `developers`")
	}
	if s.Group == "" {
		return client.ValidateScopes(s.Scopes)
	}
	return errors.Join(client.ValidateScopes(s.Scopes), user.ValidateGroups([]string{s.Group}))
}

// admits reports whether a user may register clients.
func (s SelfService) admits(u *user.User) bool {
	switch s.Who {
	case Everybody:
		return true
	case Group:
		return slices.Contains(u.Groups, s.Group)
	}
	return false
}

// selfGrantTypes are those of clients that users register: all need the consent of
// whoever uses the client.
var selfGrantTypes = []string{authz.GrantAuthorizationCode, authz.GrantRefreshToken}

// selfAuthMethods are those of clients that users register. A secret that must be
// kept as such is none of them.
var selfAuthMethods = []string{authz.AuthSecretBasic, authz.AuthSecretPost, authz.AuthPrivateKeyJWT, authz.AuthNone}
