// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// pushLifetime is how long the browser may take to come with a pushed request (RFC
// 9126 §2.2: "between 5 and 600 seconds"). Once it has come, the user has as long
// for signing in as with any other.
const pushLifetime = 90 * time.Second

// pushedSpentLifetime is how long it is remembered that a pushed request was
// answered: longer than anybody has pages of it open.
const pushedSpentLifetime = 24 * time.Hour

// pushed is what the store keeps of a pushed request, under the digest of its name:
// the parameters as they came. They are judged anew when the browser comes, since the
// client may have changed. The numbers are on disk.
type pushed struct {
	Client string `cbor:"1,keyasint"`
	Form   string `cbor:"2,keyasint"`
}

// pushAnswer tells the client what to call its request (RFC 9126 §2.2).
type pushAnswer struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"`
}

// pushing is a request to the pushed authorization request endpoint under way.
type pushing struct {
	*exchange
	db *tokenstore.DB
}

// push is the pushed authorization request endpoint (RFC 9126 §2).
func (s *Server) push(x *exchange) error {
	x.event.Type = authz.EventAuthorizationRefused
	p := &pushing{exchange: x}
	ctx := x.r.Context()
	if err := run(ctx, []step{
		{"read the form", p.read},
		{"open the store", p.open},
	}); err != nil {
		return err
	}
	return runAgain(ctx, []step{
		{"authenticate the client", p.authenticate},
		{"judge the request", p.judge},
		{"slow down who pushes many", p.mayPush},
		{"keep it", p.keep},
	})
}

func (p *pushing) open(ctx context.Context) (err error) {
	p.db, err = p.server.config.Store(ctx)
	return err
}

// judge judges the request as the authorization endpoint will.
func (p *pushing) judge(context.Context) error {
	if p.form.Has(authz.ParamRequestURI) {
		return authz.ErrInvalidRequest.Describe("The parameter request_uri is not allowed here.") // §2.1
	}
	if !p.client.MayUse(authz.GrantAuthorizationCode) {
		return authz.ErrUnauthorizedClient
	}
	var q authorizationRequest
	if err := q.readTarget(p.form, p.client.Client); err != nil {
		return err
	}
	return p.server.readRequest(&q, p.form, p.client.Client)
}

func (p *pushing) keep(ctx context.Context) error {
	form := url.Values{}
	for name, values := range p.form {
		switch name {
		case authz.ParamClientSecret, authz.ParamClientAssertion, authz.ParamClientAssertionType:
		default:
			form[name] = values
		}
	}
	form.Set(authz.ParamClientID, p.client.ID)
	encoded := form.Encode()
	if len(encoded) > maxQuery {
		return errLongRequest
	}
	anchor := tokenstore.ClientAnchorKey(p.client.ID)
	generation, err := p.db.EnsureAnchor(ctx, anchor)
	if err != nil {
		return err
	}
	raw := token.New(token.Pushed)
	change := p.db.NewChange()
	p.client.Expect(change)
	digest := token.Digest(raw)
	change.Create(pushedKey(digest[:]), &pushed{p.client.ID, encoded}, p.db.Now().Add(pushLifetime), generation)
	if err := p.commit(ctx, p.db, change); err != nil {
		return err
	}
	p.answer = pushAnswer{authz.PushedRequestURI + raw, int64(pushLifetime / time.Second)}
	p.created = true
	return nil
}

func pushedKey(digest []byte) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindTicket, "pushed\x00"+string(digest))
}

// takePushed puts a pushed request in the place of the one that names it, of which
// nothing else counts (RFC 9126 §4, RFC 9101 §6.3).
func (a *authorization) takePushed(ctx context.Context) error {
	if a.resumed || len(a.request.Pushed) > 0 {
		return a.checkPushed(ctx)
	}
	name := a.form.Get(authz.ParamRequestURI)
	if name == "" {
		return nil
	}
	raw, ours := strings.CutPrefix(name, authz.PushedRequestURI)
	if kind, ok := token.Check(raw); !ours || !ok || kind != token.Pushed {
		return authz.ErrInvalidRequestURI
	}
	digest := token.Digest(raw)
	rec, err := tokenstore.Load[pushed](ctx, a.db, pushedKey(digest[:]))
	if errors.Is(err, tokenstore.ErrNotFound) || err == nil && rec.Value.Client != a.form.Get(authz.ParamClientID) {
		return authz.ErrInvalidRequestURI // §2.2: it is bound to the client that pushed it
	}
	if err != nil {
		return err
	}
	a.request.Pushed = digest[:]
	a.form, err = url.ParseQuery(rec.Value.Form)
	return err
}

// checkPushed makes sure that a pushed request was not answered in another window.
func (a *authorization) checkPushed(ctx context.Context) error {
	if len(a.request.Pushed) == 0 {
		return nil
	}
	_, err := tokenstore.Load[any](ctx, a.db, pushedSpentKey(a.request.Pushed))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	if err == nil {
		return authz.ErrInvalidRequestURI
	}
	return err
}

// spendPushed makes change use up the pushed request that this is: it is answered
// once, in however many windows it is open (RFC 9126 §7.3). Until then the browser may
// come with it again.
func (a *authorization) spendPushed(change *tokenstore.Change) {
	if len(a.request.Pushed) == 0 {
		return
	}
	change.Delete(pushedKey(a.request.Pushed))
	change.Create(pushedSpentKey(a.request.Pushed), nil, a.db.Now().Add(pushedSpentLifetime))
}

func pushedSpentKey(digest []byte) tokenstore.Key {
	return tokenstore.SpentKey(sha256.Sum256(append([]byte("pushed\x00"), digest...)))
}
