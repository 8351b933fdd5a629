// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// draft is a client as a form has it: what was posted, or what is kept.
type draft struct {
	texts                map[string]string // by the names of the fields
	redirects, contacts  []string
	grantTypes           []string
	method               string
	scopes               []string
	mayGrant, mayMethods []string // what may be chosen
	mayScopes            scope.Set
	// keys: the client's public keys are kept with it. The form does not show them; a
	// URL of others takes their place.
	keys bool
}

// texts are the fields of one line.
var texts = []string{
	pages.FieldClientName, pages.FieldClientURI, pages.FieldLogoURI, pages.FieldPolicyURI, pages.FieldTermsURI,
	pages.FieldJWKSURI, pages.FieldSoftwareID, pages.FieldSoftwareVersion,
}

// newDraft is the form for a client as it is kept. A new one has neither id nor
// anything else.
func (v *visit) newDraft(c *client.Client) *draft {
	d := &draft{
		texts: map[string]string{
			pages.FieldClientName: c.Name, pages.FieldClientURI: c.URI, pages.FieldLogoURI: c.LogoURI,
			pages.FieldPolicyURI: c.PolicyURI, pages.FieldTermsURI: c.TermsURI, pages.FieldJWKSURI: c.JWKSURI,
			pages.FieldSoftwareID: c.SoftwareID, pages.FieldSoftwareVersion: c.SoftwareVersion,
		},
		redirects: c.RedirectURIs, contacts: c.Contacts, grantTypes: c.GrantTypes, method: c.Method(), scopes: c.Scopes,
		mayMethods: methodsFor(c), keys: len(c.JWKS) > 0,
	}
	if c.ID == "" {
		d.grantTypes = selfGrantTypes
	}
	// What the operator gave a client beyond what users may choose stays until it is
	// unticked.
	d.mayGrant = union(selfGrantTypes, c.GrantTypes)
	d.mayScopes = scope.Of(union(v.config.SelfService.Scopes, c.Scopes)...)
	return d
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, word := range b {
		if !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	return all
}

// methodsFor are the ways in which a client may come to prove who it is: whoever
// has a secret keeps it or gives it up, and who has none gets one by a rotation
// only.
func methodsFor(c *client.Client) []string {
	switch {
	case c.ID == "":
		return selfAuthMethods
	case !c.Confidential():
		return []string{authz.AuthPrivateKeyJWT, authz.AuthNone}
	case c.Method() == authz.AuthSecretJWT, !c.HasSecret():
		return []string{c.Method()}
	}
	return []string{authz.AuthSecretBasic, authz.AuthSecretPost, authz.AuthPrivateKeyJWT}
}

// read takes what was posted.
func (d *draft) read(v *visit) {
	for _, name := range texts {
		d.texts[name] = v.field(name)
	}
	d.redirects, d.contacts = v.lines(pages.FieldRedirectURIs, client.MaxURIs), v.lines(pages.FieldContacts, client.MaxContacts)
	d.grantTypes, d.scopes = v.form.fields[pages.FieldGrantTypes], v.form.fields[pages.FieldScope]
	d.method = v.field(pages.FieldAuthMethod)
}

// check finds out what is wrong with the fields, one by one.
func (d *draft) check() []pages.Fault {
	var faults []pages.Fault
	fault := func(field string, err error) {
		if err != nil {
			faults = append(faults, pages.Fault{Field: field, Message: pages.MessageInvalid, Detail: pages.Untrusted(err.Error())})
		}
	}
	missing := func(field string, is bool) {
		if is {
			faults = append(faults, pages.Fault{Field: field, Message: pages.MessageMissing})
		}
	}
	missing(pages.FieldClientName, d.texts[pages.FieldClientName] == "")
	fault(pages.FieldClientName, client.ValidateName(d.texts[pages.FieldClientName]))
	for _, name := range []string{pages.FieldClientURI, pages.FieldLogoURI, pages.FieldPolicyURI, pages.FieldTermsURI} {
		if d.texts[name] != "" {
			fault(name, client.ValidatePage(d.texts[name]))
		}
	}
	for _, name := range []string{pages.FieldSoftwareID, pages.FieldSoftwareVersion} {
		fault(name, client.ValidateWords(d.texts[name]))
	}
	missing(pages.FieldRedirectURIs, len(d.redirects) == 0 && slices.Contains(d.grantTypes, authz.GrantAuthorizationCode))
	fault(pages.FieldRedirectURIs, atMost(client.MaxURIs, d.redirects))
	for _, uri := range d.redirects {
		fault(pages.FieldRedirectURIs, client.ValidateRedirectURI(uri))
	}
	fault(pages.FieldContacts, atMost(client.MaxContacts, d.contacts))
	for _, words := range d.contacts {
		fault(pages.FieldContacts, client.ValidateWords(words))
	}
	missing(pages.FieldGrantTypes, len(d.grantTypes) == 0)
	missing(pages.FieldAuthMethod, d.method == "")
	missing(pages.FieldJWKSURI, d.method == authz.AuthPrivateKeyJWT && d.texts[pages.FieldJWKSURI] == "" && !d.keys)
	return append(faults, d.checkChoices()...)
}

func atMost(limit int, lines []string) error {
	if len(lines) > limit {
		return fmt.Errorf("at most %d", limit)
	}
	return nil
}

// checkChoices finds what the form did not offer: nobody comes to that by accident.
func (d *draft) checkChoices() []pages.Fault {
	var faults []pages.Fault
	for field, choice := range map[string]struct{ chosen, offered []string }{
		pages.FieldGrantTypes: {d.grantTypes, d.mayGrant},
		pages.FieldScope:      {d.scopes, d.mayScopes},
		pages.FieldAuthMethod: {[]string{d.method}, append(d.mayMethods, "")},
	} {
		if slices.ContainsFunc(choice.chosen, func(word string) bool { return !slices.Contains(choice.offered, word) }) {
			faults = append(faults, pages.Fault{Field: field, Message: pages.MessageInvalid})
		}
	}
	return faults
}

// apply brings the fields into a client.
func (d *draft) apply(c *client.Client) {
	c.Name, c.URI, c.LogoURI = d.texts[pages.FieldClientName], d.texts[pages.FieldClientURI], d.texts[pages.FieldLogoURI]
	c.PolicyURI, c.TermsURI = d.texts[pages.FieldPolicyURI], d.texts[pages.FieldTermsURI]
	c.SoftwareID, c.SoftwareVersion = d.texts[pages.FieldSoftwareID], d.texts[pages.FieldSoftwareVersion]
	c.RedirectURIs, c.Contacts, c.GrantTypes = d.redirects, d.contacts, d.grantTypes
	c.AuthMethod = d.method
	if d.method == authz.AuthPrivateKeyJWT {
		if c.JWKSURI = d.texts[pages.FieldJWKSURI]; c.JWKSURI != "" {
			c.JWKS = nil // RFC 7591 §2: one or the other
		}
	}
	c.Scopes = scope.Of(d.scopes...)
	// The form does not show these: they follow.
	gone := func(word string) bool { return !c.Scopes.Has(word) }
	c.DefaultScopes = slices.DeleteFunc(slices.Clone(c.DefaultScopes), gone)
	c.OptionalScopes = slices.DeleteFunc(slices.Clone(c.OptionalScopes), gone)
}

// page is the form with what is in it.
func (d *draft) page(v *visit) pages.DeveloperEdit {
	p := pages.DeveloperEdit{
		Name: d.texts[pages.FieldClientName], URI: d.texts[pages.FieldClientURI], LogoURI: d.texts[pages.FieldLogoURI],
		PolicyURI: d.texts[pages.FieldPolicyURI], TermsURI: d.texts[pages.FieldTermsURI], JWKSURI: d.texts[pages.FieldJWKSURI],
		SoftwareID: d.texts[pages.FieldSoftwareID], SoftwareVersion: d.texts[pages.FieldSoftwareVersion],
		RedirectURIs: strings.Join(d.redirects, "\n"), Contacts: strings.Join(d.contacts, "\n"),
	}
	for _, name := range d.mayGrant {
		p.GrantTypes = append(p.GrantTypes, pages.Choice{Value: name, Chosen: slices.Contains(d.grantTypes, name)})
	}
	for _, name := range d.mayMethods {
		p.AuthMethods = append(p.AuthMethods, pages.Choice{Value: name, Chosen: name == d.method})
	}
	for _, word := range d.mayScopes {
		p.Scopes = append(p.Scopes, pages.Choice{Value: word, Text: v.config.ScopeTexts[word], Chosen: slices.Contains(d.scopes, word)})
	}
	return p
}
