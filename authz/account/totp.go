// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// beginTOTP shows the seed for an authenticator app. Nothing is stored before the
// first code proves that the app has it: until then it travels in the handle.
func (v *visit) beginTOTP() error {
	set, err := factor.Load(v.r.Context(), v.db, v.subject())
	if err != nil {
		return err
	}
	return v.enrolTOTP(http.StatusOK, set.BeginTOTP())
}

// enrolTOTP shows a seed, with what was wrong with the code.
func (v *visit) enrolTOTP(status int, app factor.Enrolment, faults ...pages.Fault) error {
	qr, err := factor.QRCode(app.URI(v.config.Name, v.account.User.Username))
	if err != nil {
		return err
	}
	shell, err := v.shellFor(form{App: &app})
	if err != nil {
		return err
	}
	shell.Faults = faults
	return v.render(status, pages.AccountTOTP{Shell: shell, QR: pages.QRCode(qr), Secret: app.Secret(), Cancel: v.page.path})
}

// confirmTOTP takes the first code of an app.
func (v *visit) confirmTOTP() error {
	app := v.form.App
	if app == nil {
		return refuse(authz.ErrInvalidRequest)
	}
	err := v.changeFactors(authz.EventFactorAdded, func(set *factor.Set, change *tokenstore.Change) error {
		return set.ConfirmTOTP(v.db, change, *app, v.field(pages.FieldCode), v.subject())
	})
	if errors.Is(err, factor.ErrRefused) {
		return v.enrolTOTP(http.StatusBadRequest, *app, pages.Fault{Field: pages.FieldCode, Message: pages.MessageCode})
	}
	if err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageTOTPAdded)
}

// removeTOTP takes the app away.
func (v *visit) removeTOTP() error {
	err := v.changeFactors(authz.EventFactorRemoved, func(set *factor.Set, change *tokenstore.Change) error {
		return set.RemoveTOTP(change, v.subject())
	})
	if errors.Is(err, factor.ErrNotFound) {
		return errNotHere
	}
	if err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageTOTPRemoved)
}
