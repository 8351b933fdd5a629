// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// getSignUp shows the page for a new account.
func (v *visit) getSignUp() error {
	if err := v.arrived(); err != nil {
		return err
	}
	return v.showSignUp(v.r.Context(), http.StatusOK)
}

// postSignUp makes an account, and signs its user in.
func (v *visit) postSignUp() error {
	return v.submitted([]step{
		{"open the handle", v.open(forDemand)},
		{"read the new password", v.newPassword(v.showSignUp)},
		{"slow down who makes many", v.admitSignUp},
		{"make the account", v.register},
	}, []step{
		{"go on", v.proceed},
	})
}

// admitSignUp lets one network make a few accounts at once, and then one a minute.
func (v *visit) admitSignUp(ctx context.Context) error {
	_, err := v.admit(ctx, guess.Password, "sign-up "+guess.Network(v.config.Address(v.r)).String(), "", v.showSignUp)
	return err
}

// register makes the account. That a name is taken cannot be kept from whoever
// wants to have it.
func (v *visit) register(ctx context.Context) error {
	rec, err := v.config.Directory.Register(ctx, user.Addition{
		Username: v.form.Get(pages.FieldUsername), Email: v.form.Get(pages.FieldEmail),
		Name: v.form.Get(pages.FieldName), Password: v.form.Get(pages.FieldNewPassword),
	})
	switch {
	case err == nil:
		v.proved(&rec.Value, factor.ByPassword)
		return nil
	case errors.Is(err, user.ErrExists), errors.Is(err, user.ErrReserved):
		return v.showSignUp(ctx, http.StatusForbidden, pages.Fault{Field: pages.FieldUsername, Message: pages.MessageTaken})
	case errors.Is(err, user.ErrName):
		return v.showSignUp(ctx, http.StatusBadRequest, pages.Fault{Field: pages.FieldUsername, Message: pages.MessageInvalid, Detail: pages.Untrusted(err.Error())})
	}
	return err
}

// showSignUp settles the answer: the page for a new account.
func (v *visit) showSignUp(ctx context.Context, status int, faults ...pages.Fault) error {
	o := v.progress.Order
	sealed, err := v.seal(ctx, forDemand, pageLifetime, progress{Order: o})
	if err != nil {
		return err
	}
	return v.show(status, pages.SignUp{
		Form:        pages.Form{Action: v.path(pages.PathSignUp), Handle: sealed, Faults: faults, Leads: v.leads(o)},
		Application: pages.Untrusted(o.Application),
		Username:    pages.Untrusted(v.form.Get(pages.FieldUsername)),
		Email:       pages.Untrusted(v.form.Get(pages.FieldEmail)),
		Name:        pages.Untrusted(v.form.Get(pages.FieldName)),
		MinPassword: user.MinPassword,
		SignIn:      v.link(pages.PathSignIn, sealed),
	})
}
