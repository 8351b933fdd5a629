// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

// signingKeys is the gate in front of the keys that this server signs with, as
// store is that of the store.
func (a *App) signingKeys(ctx context.Context) (*keyring.Keyring, error) {
	if err := a.gate.wait(ctx); err != nil {
		return nil, err
	}
	return a.runtime.signs, nil
}

// signingFormats returns the formats that sign among those that the configuration
// names: its own first, then those of its clients.
func (a *App) signingFormats() []token.Keyed {
	var list []token.Keyed
	add := func(format token.Format) {
		if keyed, ok := format.(token.Keyed); ok && !slices.Contains(list, keyed) {
			list = append(list, keyed)
		}
	}
	add(a.format)
	for _, c := range a.Clients {
		add(a.formats[c.AccessTokenFormat])
	}
	return list
}

// keyPolicy says how the keys of a purpose are to be.
func (a *App) keyPolicy(purpose keyring.Purpose) keyring.Policy {
	if purpose != keyring.AccessTokens {
		return keyring.Policy{}
	}
	for _, keyed := range a.signingFormats() {
		return keyed.KeyPolicy()
	}
	return keyring.Policy{}
}

// ensureKeys makes the keys that the configuration is going to sign with, so that
// they are published from the start. What fails is tried again at first need.
func (a *App) ensureKeys() {
	purposes := make([]keyring.Purpose, 0, 2)
	if len(a.signingFormats()) > 0 {
		purposes = append(purposes, keyring.AccessTokens)
	}
	if slices.ContainsFunc(a.guards, func(p *Protect) bool { return len(p.states()) > 0 }) {
		purposes = append(purposes, keyring.Identities)
	}
	for _, purpose := range purposes {
		ctx, cancel := context.WithTimeout(context.Background(), applyWait)
		if err := a.runtime.signs.Ensure(ctx, purpose, a.keyPolicy(purpose)); err != nil {
			a.log.Warn("the signing keys cannot be made yet", zap.String("purpose", string(purpose)), zap.Error(err))
		}
		cancel()
	}
}

// validateKeys checks that what signs tokens can rotate as it is told.
func (a *App) validateKeys() error {
	if err := outlasts(a.format, a.AccessToken.Lifetime); err != nil {
		return fmt.Errorf("access_token: %w", err)
	}
	for name, lifetime := range a.AccessToken.Lifetimes {
		if err := outlasts(a.format, lifetime); err != nil {
			return fmt.Errorf("access_token: lifetime of grant type %s: %w", name, err)
		}
	}
	for _, c := range a.Clients {
		if err := a.validateClientKeys(&c.Client); err != nil {
			return fmt.Errorf("client %s: %w", c.ID, err)
		}
	}
	return nil
}

// validateClientKeys is the same for what signs a client's tokens, which last as the
// client has it, else as the server has it for the client's grant types.
func (a *App) validateClientKeys(c *client.Client) error {
	format := a.formats[c.AccessTokenFormat]
	if format == nil {
		format = a.format
	}
	longest := caddy.Duration(c.AccessTokenLifetime)
	if longest == 0 {
		for _, name := range c.GrantTypes {
			longest = max(longest, cmp.Or(a.AccessToken.Lifetimes[name], a.AccessToken.Lifetime))
		}
	}
	return outlasts(format, longest)
}

// outlasts checks that tokens of a format may last so long: see [keyring.Policy.Outlasts].
func outlasts(format token.Format, lifetime caddy.Duration) error {
	if keyed, signs := format.(token.Keyed); signs {
		return keyed.KeyPolicy().Outlasts(time.Duration(lifetime))
	}
	return nil
}

// checkFormat reports whether there is a token format of that name; empty is the
// server's own.
func checkFormat(name string) error {
	if name == "" {
		return nil
	}
	var names []string
	for _, info := range caddy.GetModules(FormatNamespace) {
		names = append(names, info.ID.Name())
	}
	if !slices.Contains(names, name) {
		return fmt.Errorf("access_token_format: %s is not part of this Caddy; there are %s", name, strings.Join(names, ", "))
	}
	return nil
}
