// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// pageLifetime is how long a page may stay open before its form is sent.
	pageLifetime = time.Hour
	// proofLifetime is how long a password counts while the second factor, or the new
	// password, is awaited.
	proofLifetime = 10 * time.Minute
	// maxAttempts is how often a form is judged anew because what it relied on
	// changed before the commit.
	maxAttempts = 3
)

// What handles are for.
const (
	forDemand   = "sign in" // sign-in, sign-up and account chooser
	forProof    = "second factor"
	forPassword = "password"
	forSignOut  = "sign out"
)

// visit is a request to one of the pages under way.
type visit struct {
	*Service
	w    http.ResponseWriter
	r    *http.Request
	db   *tokenstore.DB
	form url.Values

	// progress is what the form's handle held, and what was proved since.
	progress progress
	opened   handle.Opened
	// verified is whom the password was found to belong to. That is judged once,
	// however often the rest is.
	verified *tokenstore.Record[user.User]
	// once: the form's handle counts once.
	once bool
	// change is what will be committed; used: there is something in it.
	change *tokenstore.Change
	used   bool
	// alone: the change ends all other sessions of the user.
	alone bool

	// answer writes what comes of it. It begins as a refusal, and whatever step
	// settles it otherwise does so last.
	answer func() error
}

// progress is how far somebody has come. It travels through pages as a handle.
type progress struct {
	Order order `cbor:"1,keyasint"`
	// Subject is who has proved something; empty before that.
	Subject string         `cbor:"2,keyasint,omitempty"`
	Methods factor.Methods `cbor:"3,keyasint,omitempty"`
	// PasswordAt is when the password was set that was proved, in milliseconds since 1970.
	PasswordAt int64 `cbor:"4,keyasint,omitempty"`
	// Proved is when the first proof was given, in milliseconds since 1970. It does
	// not count for ever.
	Proved int64 `cbor:"7,keyasint,omitempty"`
	// Raise is the session whose user proves more, without a password.
	Raise string `cbor:"5,keyasint,omitempty"`
	// Ticket is that of a one-time link for a new password.
	Ticket string `cbor:"8,keyasint,omitempty"`
	// Ceremony is the challenge that the page has for passkeys.
	Ceremony *factor.Ceremony `cbor:"6,keyasint,omitempty"`
}

// errAnswered ends a visit whose answer is settled before the last step.
var errAnswered = errors.New("signin: answered")

// step is one thing that is done with a form. What it returns ends the visit; an
// error that is no *authz.Error is trouble of ours.
type step struct {
	name string
	do   func(context.Context) error
}

// run takes the steps in order until one fails.
func run(ctx context.Context, steps []step) error {
	for _, st := range steps {
		err := st.do(ctx)
		switch {
		case err == nil:
		case errors.Is(err, errAnswered), errors.As(err, new(*authz.Error)):
			return err
		default:
			return authz.ErrTemporarilyUnavailable.Because(fmt.Errorf("%s: %w", st.name, err))
		}
	}
	return nil
}

// visit begins one.
func (s *Service) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	db, err := s.config.Store(r.Context())
	if err != nil {
		return nil, trouble(err)
	}
	v := &visit{Service: s, w: w, r: r, db: db}
	v.answer = func() error { return v.problem(authz.ErrDenied) }
	return v, nil
}

// submitted serves a form: first what is done once, then what is done again as long
// as somebody else changes what it relies on before it can be committed.
func (v *visit) submitted(once, again []step) error {
	ctx := v.r.Context()
	err := run(ctx, append([]step{
		{"see where it comes from", v.comeFromOurPage},
		{"read the form", v.read},
	}, once...))
	for attempt := 1; err == nil; attempt++ {
		v.change, v.used = v.db.NewChange(), false
		if err = run(ctx, again); attempt < maxAttempts && errors.Is(err, tokenstore.ErrConflict) {
			err = nil
			continue
		}
		break
	}
	return v.finish(err)
}

// finish writes the answer, or returns the trouble there was.
func (v *visit) finish(err error) error {
	var e *authz.Error
	switch {
	case err == nil, errors.Is(err, errAnswered):
		return v.answer()
	case errors.Is(err, tokenstore.ErrConflict):
		// Again and again: the form was used up before.
		if err := v.expired(v.r.Context()); !errors.Is(err, errAnswered) {
			return trouble(err)
		}
		return v.answer()
	case errors.As(err, &e) && e.Status < http.StatusInternalServerError:
		return v.problem(e)
	}
	return trouble(err)
}

// comeFromOurPage refuses a form that a page of another origin may have sent (row U01),
// or whoever has seen it pass by.
func (v *visit) comeFromOurPage(context.Context) error {
	if v.config.EarlyData(v.r) {
		return authz.ErrTooEarly // RFC 8470 §5.2
	}
	if !handle.SameOrigin(v.r, v.config.Origin) {
		return authz.ErrCrossOrigin.Describe("The form did not come from a page of this server.")
	}
	return nil
}

// open opens the form's handle. One that is not good, or not any more, leads back
// to where everything begins.
func (v *visit) open(purpose string) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		v.opened, err = v.config.Handles.Open(ctx, v.r, purpose, v.form.Get(pages.FieldHandle), &v.progress)
		v.once = purpose == forProof || purpose == forPassword
		late := err == nil && v.progress.Proved != 0 && v.db.Now().Sub(time.UnixMilli(v.progress.Proved)) >= proofLifetime
		if late || errors.Is(err, handle.ErrInvalid) {
			return v.expired(ctx)
		}
		return err
	}
}

// spend makes the change use the handle up, if it counts once.
func (v *visit) spend() {
	if v.once {
		handle.Spend(v.change, v.opened)
	}
}

// seal makes a handle for this browser.
func (v *visit) seal(ctx context.Context, purpose string, lifetime time.Duration, value any) (string, error) {
	return v.config.Handles.Seal(ctx, purpose, v.config.Handles.Binding(v.w, v.r), lifetime, value)
}

// show settles the answer: a page.
func (v *visit) show(status int, page pages.Page) error {
	v.answer = func() error { return v.config.Render(v.w, v.r, status, page) }
	return errAnswered
}

// leave settles the answer: the browser goes elsewhere on this host (RFC 9110
// §15.4.4: with GET, whatever it was asked by).
func (v *visit) leave(path string) error {
	v.answer = func() error {
		h := v.w.Header()
		h.Set("Location", path)
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		v.w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return errAnswered
}

// problem is the page for what is not the server's fault.
func (v *visit) problem(e *authz.Error) error {
	return v.config.Render(v.w, v.r, e.Status, pages.Problem{Code: e.Code, Summary: e.Description, Back: v.path(pages.PathSignIn)})
}

// refused tells the recorder that somebody did not get in.
func (v *visit) refused(ctx context.Context, subject string, why *authz.Error) {
	v.note(ctx, authz.Event{Type: authz.EventSignInRefused, Outcome: authz.Denied, Reason: why.Code, Subject: subject})
}

// path is where one of the pages is.
func (s *Service) path(below string) string { return s.config.Prefix + below }
