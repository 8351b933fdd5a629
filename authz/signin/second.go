// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// postFactor takes one more proof of somebody who has given one already.
func (v *visit) postFactor() error {
	return v.submitted([]step{
		{"open the handle", v.open(forProof)},
	}, []step{
		{"judge the proof", v.judgeFactor},
		{"go on", v.proceed},
	})
}

// judgeFactor judges a code or a passkey, which is used up with what follows.
func (v *visit) judgeFactor(ctx context.Context) error {
	t, err := v.admit(ctx, guess.SecondFactor, v.progress.Subject, v.progress.Subject, v.askFactorAgain)
	if err != nil {
		return err
	}
	methods, fault, err := v.prove(ctx)
	t.judged(err, factor.ErrRefused)
	if errors.Is(err, factor.ErrRefused) {
		v.refused(ctx, v.progress.Subject, authz.ErrDenied)
		return v.askFactorAgain(ctx, http.StatusForbidden, fault)
	}
	if err != nil {
		return err
	}
	v.progress.Methods |= methods
	v.used = true
	return nil
}

// prove judges what was sent, and says what to tell people if it is nothing.
func (v *visit) prove(ctx context.Context) (factor.Methods, pages.Fault, error) {
	if v.form.Get(pages.FieldDo) == pages.DoPasskey {
		proof, err := v.provePasskey(ctx)
		return proof.Methods, pages.Fault{Message: pages.MessagePasskey}, err
	}
	set, err := factor.Load(ctx, v.db, v.progress.Subject)
	if err != nil {
		return 0, pages.Fault{}, err
	}
	if v.form.Get(pages.FieldDo) == pages.DoRecovery {
		methods, err := set.UseRecoveryCode(v.db, v.change, v.form.Get(pages.FieldRecovery))
		return methods, pages.Fault{Field: pages.FieldRecovery, Message: pages.MessageRecovery}, err
	}
	methods, err := set.UseTOTP(ctx, v.db, v.change, v.form.Get(pages.FieldCode))
	return methods, pages.Fault{Field: pages.FieldCode, Message: pages.MessageCode}, err
}

// provePasskey judges the answer to the challenge that the page had.
func (v *visit) provePasskey(ctx context.Context) (factor.Proof, error) {
	if v.config.Passkeys == nil || v.progress.Ceremony == nil {
		return factor.Proof{}, factor.ErrRefused
	}
	return v.config.Passkeys.Prove(ctx, v.db, v.change, *v.progress.Ceremony, []byte(v.form.Get(pages.FieldPasskey)))
}

// askFactorAgain shows the page once more.
func (v *visit) askFactorAgain(ctx context.Context, status int, faults ...pages.Fault) error {
	u, _, err := v.config.Directory.Known(ctx, v.progress.Subject)
	if err != nil {
		return v.goneIfAbsent(ctx, err)
	}
	set, err := factor.Load(ctx, v.db, v.progress.Subject)
	if err != nil {
		return err
	}
	return v.showFactor(ctx, status, u, set, faults...)
}

// askFactor asks a user for one more proof, if there is any that he could give.
func (v *visit) askFactor(ctx context.Context, u *user.User, set *factor.Set) error {
	if !set.Demanded() {
		e := authz.ErrInsufficientUserAuthentication.Describe("The application wants two factors, and the account has one.")
		return v.show(http.StatusForbidden, pages.Problem{
			Code: e.Code, Summary: e.Description, Client: pages.Untrusted(v.progress.Order.Application), Back: v.path(pages.PathAccountSecurity),
		})
	}
	return v.showFactor(ctx, http.StatusOK, u, set)
}

// showFactor settles the answer: the page for the second factor. What was proved
// before travels along, and is used up when somebody gets in with it.
func (v *visit) showFactor(ctx context.Context, status int, u *user.User, set *factor.Set, faults ...pages.Fault) error {
	p := v.progress
	p.Ceremony = nil
	left, _ := set.RecoveryLeft()
	page := pages.SecondFactor{
		Application: pages.Untrusted(p.Order.Application), Username: pages.Untrusted(u.Username),
		TOTP: set.HasTOTP(), Recovery: left > 0,
	}
	if v.config.Passkeys != nil && len(set.Passkeys()) > 0 {
		options, ceremony, err := v.config.Passkeys.Challenge(v.db, set, false)
		if err != nil {
			return err
		}
		page.Passkey, p.Ceremony = string(options), &ceremony
	}
	sealed, err := v.seal(ctx, forProof, proofLifetime, p)
	if err != nil {
		return err
	}
	back, err := v.seal(ctx, forDemand, pageLifetime, progress{Order: p.Order})
	if err != nil {
		return err
	}
	page.Form = pages.Form{Action: v.path(pathFactor), Handle: sealed, Faults: faults, Leads: v.leads(p.Order)}
	page.Back = v.link(pages.PathSignIn, back)
	return v.show(status, page)
}
