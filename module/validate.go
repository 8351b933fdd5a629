// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Validate checks what the parts cannot see by themselves. What does need other
// modules to be loaded is checked when it is provisioned.
func (a *App) Validate() error {
	if err := a.ValidateSyntax(); err != nil {
		return err
	}
	for _, c := range a.Clients {
		if err := a.ValidateClient(c); err != nil {
			return err
		}
		for _, name := range c.GrantTypes {
			if a.grantTypes[name] == nil {
				return fmt.Errorf("client %s: grant type %s is not part of this Caddy", c.ID, name)
			}
		}
	}
	for name := range a.AccessToken.Lifetimes {
		if a.grantTypes[name] == nil {
			return fmt.Errorf("access_token: lifetime of grant type %s, which is not part of this Caddy", name)
		}
	}
	return a.validateKeys()
}

// ValidateSyntax checks the app as it is written, without its clients and guests.
func (a *App) ValidateSyntax() error {
	errs := []error{endpoint.ValidateIssuer(a.Issuer, a.InsecureHTTP)}
	if a.Prefix != "" {
		errs = append(errs, endpoint.ValidatePrefix(a.Prefix))
	}
	if !slices.Contains([]string{"", ScopeRefuse, ScopeFilter}, a.ScopePolicy) {
		errs = append(errs, fmt.Errorf("scope_policy is %s or %s", ScopeRefuse, ScopeFilter))
	}
	for _, key := range a.SealKeys {
		errs = append(errs, ValidateSealKey(key))
	}
	if !slices.Contains([]string{"", AudienceIssuer, AudienceTokenURL}, a.AssertionAudience) {
		errs = append(errs, fmt.Errorf("assertion_audience is %s or %s", AudienceIssuer, AudienceTokenURL))
	}
	for i, s := range a.Scopes {
		if !scope.Valid(s.Name) {
			errs = append(errs, fmt.Errorf("scope %q: a scope is printable ASCII without space, quote and backslash, at most %d bytes", s.Name, scope.MaxWord))
		}
		if slices.ContainsFunc(a.Scopes[:i], func(other Scope) bool { return other.Name == s.Name }) {
			errs = append(errs, fmt.Errorf("scope %s is declared twice", s.Name))
		}
	}
	for code, uri := range a.ErrorURIs {
		errs = append(errs, endpoint.ValidateErrorURI(code, uri))
	}
	errs = append(errs, client.ValidateLifetime(time.Duration(a.AccessToken.Lifetime)), a.Sessions.Validate(), a.Brand.Validate(), a.ValidateDevelopers())
	for _, lifetime := range a.AccessToken.Lifetimes {
		errs = append(errs, client.ValidateLifetime(time.Duration(lifetime)))
	}
	return errors.Join(errs...)
}

// ValidateSealKey returns what is wrong with a sealing key as it is configured.
// It must be a placeholder: whoever may ask Caddy for its configuration would
// read a literal key, and could forge records and open what is sealed.
func ValidateSealKey(configured string) error {
	if !onePlaceholder.MatchString(configured) {
		return errors.New("seal_key takes the place where a key is, such as {file./run/secrets/seal} or {env.SEAL_KEY}, and not the key: " +
			"what stands in the configuration is handed out by Caddy's admin endpoint")
	}
	return nil
}

// ValidateClient checks a client as it is written, before its placeholders are
// resolved, and that all its scopes are declared.
func (a *App) ValidateClient(c client.Declaration) error {
	written := c.Secret
	c.Secret = make([]string, len(written))
	for i, secret := range written {
		if c.Secret[i] = secret; strings.Contains(secret, "{") {
			c.Secret[i] = strings.Repeat("x", client.MinSecret) // judged when it is resolved
		}
	}
	if text, named := textOf(c.JWKS); named && c.JWKSURI == "" && onePlaceholder.MatchString(text) {
		c.JWKS, c.JWKSURI = nil, "https://client.example/" // judged when it is resolved
	}
	if _, err := c.Build(); err != nil {
		return err
	}
	if err := checkFormat(c.AccessTokenFormat); err != nil {
		return fmt.Errorf("client %s: %w", c.ID, err)
	}
	for _, word := range c.Scopes {
		if !a.declared(word) {
			return fmt.Errorf("client %s: scope %s is not declared: add `scope %s \"what it permits\"` to the block of oauth2", c.ID, word, word)
		}
	}
	return nil
}

// ValidateRow checks that a row of a guard demands only scopes that are
// declared: no token could have another.
func (a *App) ValidateRow(row protect.Row) error {
	if err := a.validateDeclared(row.Requirement); err != nil {
		return fmt.Errorf("%s: %w", row, err)
	}
	return nil
}

// validateDeclared checks that all scopes of a requirement are declared.
func (a *App) validateDeclared(requirement scope.Requirement) error {
	for _, all := range requirement {
		if err := a.ValidateScopes(all); err != nil {
			return err
		}
	}
	return nil
}

// ValidateScopes checks that scopes are declared.
func (a *App) ValidateScopes(words []string) error {
	for _, word := range words {
		if !a.declared(word) {
			return fmt.Errorf("scope %s is not declared: add `scope %s \"what it permits\"` to the block of oauth2", word, word)
		}
	}
	return nil
}

// declared reports whether the configuration has a scope.
func (a *App) declared(word string) bool {
	return slices.ContainsFunc(a.Scopes, func(s Scope) bool { return s.Name == word })
}
