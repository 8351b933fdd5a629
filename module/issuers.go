// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"

	"github.com/caddy-oauth2/caddy-oauth2/authz/foreign"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// ValidateIssuer returns what is wrong with a foreign authorization server as
// it is configured. Its secret must be a placeholder: what stands in the
// configuration is handed out by Caddy's admin endpoint.
func (a *App) ValidateIssuer(i foreign.Issuer) error {
	if err := i.Validate(a.InsecureHTTP); err != nil {
		return err
	}
	if n := i.Introspection; n != nil && !onePlaceholder.MatchString(string(n.ClientSecret)) {
		return fmt.Errorf("issuer %s: client_secret takes the place where the secret is, such as {file./run/secrets/introspection} or {env.INTROSPECTION_SECRET}, "+
			"and not the secret", i.Issuer)
	}
	return nil
}

// resolveIssuers reads the secrets that we ask foreign authorization servers by.
func (p *Protect) resolveIssuers() error {
	p.foreign = make([]foreign.Issuer, len(p.Issuers))
	for i, issuer := range p.Issuers {
		if n := issuer.Introspection; n != nil {
			secret, err := resolveSecret(string(n.ClientSecret))
			if err != nil {
				return fmt.Errorf("issuer %s: client_secret: %w", issuer.Issuer, err)
			}
			resolved := *n
			resolved.ClientSecret = foreign.Secret(secret)
			issuer.Introspection = &resolved
		}
		p.foreign[i] = issuer
	}
	return nil
}

// acceptIssuers has the guard accept the issuers that are configured.
func (p *Protect) acceptIssuers(config *protect.Config) {
	for _, issuer := range p.Issuers {
		config.Foreign = append(config.Foreign, protect.Foreign{Issuer: issuer.Issuer, Audience: issuer.Audience})
	}
}

// authenticator knows the tokens of all issuers that the guard accepts. The app
// has started.
func (p *Protect) authenticator() protect.Authenticator {
	if len(p.foreign) == 0 {
		return p.app.verifier
	}
	return foreign.NewSet(p.app.runtime.foreign, p.app.verifier, p.app.Issuer, p.foreign, p.app.InsecureHTTP)
}
