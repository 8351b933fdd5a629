// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// try is a guess of this visit that was let through. Until it turns out to be none it
// counts as a wrong one.
type try struct {
	limits *guess.Limits
	guess.Try
}

// admit lets a guess through, or has page tell that it is too early.
func (v *visit) admit(ctx context.Context, kind guess.Kind, account, subject string, page showing) (*try, error) {
	limits, err := v.config.Limits(ctx)
	if err != nil {
		return nil, err
	}
	t := &try{limits, guess.Try{Kind: kind, Account: account, Address: v.config.Address(v.r)}}
	if subject != "" {
		t.Device = v.known().Device(v.r, v.db, subject)
	}
	wait := limits.Admit(limits.Now(), t.Try)
	if wait == 0 {
		return t, nil
	}
	v.refused(ctx, subject, authz.ErrSlowDown)
	v.w.Header().Set("Retry-After", authz.ErrSlowDown.After(wait).RetrySeconds())
	return nil, page(ctx, http.StatusTooManyRequests, pages.Fault{Message: pages.MessageSlow})
}

// judged says what came of a guess: an error that is refused leaves it counted, and
// trouble does not.
func (t *try) judged(err, refused error) {
	switch {
	case err == nil:
		t.limits.Succeeded(t.limits.Now(), t.Try)
	case !errors.Is(err, refused):
		t.limits.Undecided(t.limits.Now(), t.Try)
	}
}

// known knows the browsers in which users have signed in before.
func (s *Service) known() guess.Browsers { return guess.Browsers{Secure: s.config.Handles.Secure} }

// aimed returns what tries of a name are counted by: one account, whatever its name
// is written like (row U14), or the name, if nobody has it.
func (v *visit) aimed(ctx context.Context, name string) (account, subject string, err error) {
	rec, err := v.config.Directory.Find(ctx, name)
	switch {
	case err == nil:
		return rec.Value.Subject, rec.Value.Subject, nil
	case !errors.Is(err, user.ErrNotFound):
		return "", "", err
	}
	canonical, err := user.Canonical(name)
	if err != nil {
		canonical = "" // nobody's
	}
	return "name " + canonical, "", nil
}

// verify is [user.Directory.Verify] for a guess that may have to wait.
func (v *visit) verify(ctx context.Context, name, password string, page showing) (*user.User, error) {
	if v.verified != nil { // before another change came between
		return &v.verified.Value, nil
	}
	account, subject, err := v.aimed(ctx, name)
	if err != nil {
		return nil, err
	}
	t, err := v.admit(ctx, guess.Password, account, subject, page)
	if err != nil {
		return nil, err
	}
	rec, err := v.config.Directory.Verify(ctx, name, password)
	t.judged(err, user.ErrRefused)
	if err != nil {
		return nil, err
	}
	v.verified = rec
	return &rec.Value, nil
}
