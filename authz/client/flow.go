// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Values of [Client.PKCE] beside the default, "".
const (
	PKCEAlways   = "always"
	PKCEOptional = "optional"
	PKCEPlain    = "plain"
)

// PKCEPolicies lists the values of [Client.PKCE].
func PKCEPolicies() []string { return []string{PKCEAlways, PKCEOptional, PKCEPlain} }

// Values of [Client.RefreshRotation]; the default, "", is RotationOn.
const (
	RotationOn  = "on"
	RotationOff = "off"
)

// NeedsChallenge reports whether an authorization request of the client must have a
// code challenge (RFC 9700 §2.1.1). nonced says that it asks for openid and
// has a nonce: then a client that authenticates detects an injected code by itself.
func (c *Client) NeedsChallenge(nonced bool) bool {
	return c.PKCE != PKCEOptional && (c.PKCE != "" || !nonced || !c.Confidential())
}

// ChallengeMethods lists the challenge methods (RFC 7636 §4.2) that the client may use.
func (c *Client) ChallengeMethods() []string {
	if c.PKCE == PKCEPlain {
		return []string{authz.ChallengeS256, authz.ChallengePlain}
	}
	return []string{authz.ChallengeS256}
}

// Rotates reports whether each use of a refresh token replaces it.
func (c *Client) Rotates() bool { return c.RefreshRotation != RotationOff }

// SelfRegistered reports whether a user registered the client, not the operator.
// Nothing of its making sends a browser anywhere before its user has signed in.
func (c *Client) SelfRegistered() bool { return c.Owner != "" }

// validateFlow checks what concerns the users of the client.
func (c *Client) validateFlow() error {
	errs := []error{ValidateScopes(c.OptionalScopes)}
	if c.PKCE != "" && !slices.Contains(PKCEPolicies(), c.PKCE) {
		errs = append(errs, fmt.Errorf("pkce is one of %s", strings.Join(PKCEPolicies(), ", ")))
	}
	if c.RefreshRotation != "" && c.RefreshRotation != RotationOn && c.RefreshRotation != RotationOff {
		errs = append(errs, fmt.Errorf("refresh_rotation is %s or %s", RotationOn, RotationOff))
	}
	if !c.Rotates() && !c.Confidential() {
		// RFC 9700 §2.2.2: refresh tokens of public clients are rotated or bound to a key.
		errs = append(errs, errors.New("refresh_rotation off needs a client that authenticates"))
	}
	if !c.Scopes.Contains(c.OptionalScopes) {
		errs = append(errs, errors.New("optional_scopes holds a scope that is not in scopes"))
	}
	if c.FirstParty && c.SelfRegistered() {
		errs = append(errs, errors.New("first_party excludes an owner"))
	}
	if c.MayUse(authz.GrantAuthorizationCode) && len(c.RedirectURIs) == 0 {
		errs = append(errs, errors.New("authorization_code needs redirect_uris: where users are sent back to"))
	}
	return errors.Join(append(errs, c.validateRefresh())...)
}

func (c *Client) validateRefresh() error {
	if err := ValidateLifetime(time.Duration(c.RefreshIdle)); err != nil {
		return fmt.Errorf("refresh_idle: %w", err)
	}
	if err := ValidateLifetime(time.Duration(c.RefreshLifetime)); err != nil {
		return fmt.Errorf("refresh_lifetime: %w", err)
	}
	if c.RefreshIdle > 0 && c.RefreshLifetime > 0 && c.RefreshIdle > c.RefreshLifetime {
		return errors.New("refresh_idle is longer than refresh_lifetime")
	}
	return nil
}
