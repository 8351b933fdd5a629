// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// decision is the state of one request on its way through the guard.
type decision struct {
	start   time.Time
	row     *entry       // nil when no row matched
	passage *passage     // nil when the request carries no credential
	refusal *authz.Error // nil: it may pass
}

// Refusals that tell a client's developer more than the templates do.
var (
	errBrokenCredential = authz.ErrInvalidRequest.Describe("The request has more than one credential or a malformed one.")
	errAudience         = authz.ErrInvalidToken.Describe("The access token is meant for another resource.")
	errSenderConstraint = authz.ErrInvalidToken.Describe("The access token is bound to a key and needs a proof of possession.")
	errExpired          = authz.ErrInvalidToken.Describe("The access token has expired.")
)

// judge decides what the row says about the request, and puts the headers for
// the upstream on it when it may pass.
func (g *Guard) judge(r *http.Request, outer *passage, d *decision) {
	switch d.row.Verb {
	case Deny:
		d.refusal = authz.ErrDenied
		return
	case Public:
		d.passage = dressAnonymous(r, outer, d.row, g.presentUnexamined(r, outer, d.row))
		return
	}
	p, refusal := g.present(r, outer, d.row)
	if refusal == nil {
		p, refusal = g.current(r, p)
	}
	switch {
	case refusal != nil:
		d.refusal = refusal
		return
	case p == nil:
		if d.row.Verb == Allow {
			d.refusal = authz.ErrCredentialRequired.Needing(d.row.Requirement.Challenge(nil))
			return
		}
		d.passage = dressAnonymous(r, nil, d.row, nil)
		return
	case p.found == broken:
		d.refusal = errBrokenCredential
		return
	case p.source.cookie() && g.forgeable(r):
		d.refusal = authz.ErrCrossOrigin
		return
	case g.replayable(r):
		d.refusal = authz.ErrTooEarly
		return
	}
	d.passage = p
	// A guard further out may take other issuers' credentials, and otherwise.
	if !p.checked || p.principal.Issuer != g.config.Issuer {
		if d.refusal = g.authenticate(r.Context(), p); d.refusal != nil {
			return
		}
	}
	if d.refusal = g.decide(r, d.row, &p.principal); d.refusal != nil {
		return
	}
	if d.refusal = d.row.agree(r, &p.principal); d.refusal != nil {
		return
	}
	stated, refusal := g.state(r, d.row.dress.statement, &p.principal)
	if refusal != nil {
		d.refusal = refusal
		return
	}
	n := len(d.row.dress.headers)
	space := p.values(n + 1)
	if err := d.row.dress.put(r.Header, &p.principal, space[:n]); err != nil {
		d.refusal = authz.ErrDenied.Because(err)
		return
	}
	p.dress, p.vouched = d.row.dress, true
	if outer == nil && p.source == fromHeader && !p.dress.keepCredential {
		delete(r.Header, "Authorization") // the usual case
	} else {
		g.settleCredential(r.Header, p)
	}
	p.dress.fixed.put(r.Header)
	p.dress.statement.put(r.Header, stated, space[n:])
}

// replayable reports whether somebody on the way can repeat what a request does,
// with the credential that is in it. The service behind does not know to ask for
// it again, so the guard has to (RFC 8470 §5.2).
func (g *Guard) replayable(r *http.Request) bool {
	return !safe(r.Method) && g.config.EarlyData != nil && g.config.EarlyData(r)
}

// present returns what the request carries to prove itself: what a guard
// further out has found, else what its header says, and what is elsewhere.
func (g *Guard) present(r *http.Request, outer *passage, row *entry) (*passage, *authz.Error) {
	var p *passage
	if outer != nil {
		p = outer.inner(r.Context())
	} else if credential, found := parseAuthorization(r.Header["Authorization"], g.config.Schemes); found != absent {
		p = &passage{Context: r.Context(), credential: credential, found: found}
	}
	if !g.looksElsewhere() {
		return p, nil
	}
	return g.elsewhere(r, p, row)
}

// presentUnexamined takes out of a request what the service behind a public row
// must not learn, and returns it for guards further in.
func (g *Guard) presentUnexamined(r *http.Request, outer *passage, row *entry) *passage {
	var p *passage
	if outer != nil {
		p = outer.inner(r.Context())
	} else if credential, found := g.withhold(r.Header); found != absent {
		p = &passage{Context: r.Context(), credential: credential, found: found}
	}
	if g.looksElsewhere() {
		p, _ = g.elsewhere(r, p, row) // reads no body here, so nothing can fail
	}
	if outer != nil && p.found == outer.found {
		return nil // what they get from further out is all there is
	}
	return p
}

// authenticate asks who the credential stands for.
func (g *Guard) authenticate(ctx context.Context, p *passage) *authz.Error {
	var err error
	if p.principal, err = g.config.Authenticator.Authenticate(ctx, p.credential); err != nil {
		return refusalOf(err)
	}
	p.principal.Scheme, p.checked = p.credential.Scheme, true
	return nil
}

// refusalOf turns an error of a neighbour into an answer. What is not clearly
// the caller's fault is trouble.
func refusalOf(err error) *authz.Error {
	var e *authz.Error
	if errors.As(err, &e) && (errors.Is(e, authz.ErrInvalidToken) || e.Status >= http.StatusInternalServerError) {
		return e
	}
	return authz.ErrTemporarilyUnavailable.Because(err)
}

// decide judges facts about the credential by this guard, this row and this
// moment. It cuts the scopes of p to those that the client has at present.
//
// It must not look at the header or the URL of r, nor at what Caddy keeps in its
// context: the watch asks again while handlers change them, and gives none.
func (g *Guard) decide(r *http.Request, row *entry, p *authz.Principal) *authz.Error {
	if p.Scheme == authz.SchemeSession {
		if refusal := g.admit(r, p); refusal != nil {
			return refusal
		}
		return g.suffices(row, p)
	}
	if acceptedScheme(p.Scheme, g.config.Schemes) == "" || p.Client == "" {
		return authz.ErrInvalidToken
	}
	var foreign *Foreign
	if p.Issuer == g.config.Issuer {
		allowed, err := g.config.Clients.Allowed(r.Context(), p.Client)
		if err != nil {
			return refusalOf(err)
		}
		if !allowed.Contains(p.Scopes) {
			p.Scopes = p.Scopes.Intersect(allowed)
		}
	} else if foreign = g.config.foreign(p.Issuer); foreign == nil {
		return authz.ErrInvalidToken
	}
	if !g.config.Now().Before(p.Expires) {
		return errExpired
	}
	if foreign != nil && !foreign.meant(p.Audience) || foreign == nil && !g.meant(p.Audience, r) {
		return errAudience
	}
	// RFC 7800 §3.1, RFC 9449 §7.1: a bound token is worth nothing without the proof.
	if p.ConfirmationKey != "" && strings.EqualFold(p.Scheme, authz.SchemeBearer) {
		return errSenderConstraint
	}
	return g.suffices(row, p)
}

// suffices judges by what a row demands who is somebody here.
func (g *Guard) suffices(row *entry, p *authz.Principal) *authz.Error {
	if !row.Requirement.MetBy(p.Scopes) {
		return authz.ErrInsufficientScope.Needing(row.Requirement.Challenge(p.Scopes))
	}
	if row.Conditions != nil {
		return row.Conditions.refusal(p, p.Issuer == g.config.Issuer, g.config.Now())
	}
	return nil
}

// meant reports whether a token with that audience may be used for the
// request: it names this resource or, unless the guard is strict, the issuer.
func (g *Guard) meant(audience []string, r *http.Request) bool {
	if !g.config.StrictAudience && slices.Contains(audience, g.config.Issuer) {
		return true
	}
	if g.config.Resource == nil {
		return false
	}
	resource := g.config.Resource(r)
	for _, a := range audience {
		if resource != "" && authz.SameResource(a, resource) {
			return true
		}
	}
	return false
}
