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

// showSecurity shows how the visitor signs in.
func (v *visit) showSecurity() error { return v.security(http.StatusOK) }

// security is that page, with what was wrong with the form.
func (v *visit) security(status int, faults ...pages.Fault) error {
	set, err := factor.Load(v.r.Context(), v.db, v.subject())
	if err != nil {
		return err
	}
	u := v.account.User
	page := pages.AccountSecurity{
		Password: u.Local() && u.Password != "", PasswordAt: u.PasswordAt,
		OffersTOTP: true, TOTP: set.HasTOTP(), TOTPSince: set.TOTP().Confirmed,
	}
	page.RecoveryCodes, page.RecoveryAt = set.RecoveryLeft()
	for _, p := range set.Passkeys() {
		page.Passkeys = append(page.Passkeys, pages.Passkey{ID: p.ID(), Name: pages.Untrusted(p.Name), Created: p.Created, LastUsed: p.Used})
	}
	var begun form
	if begun.Passkey, page.NewPasskey, err = v.newPasskey(set); err != nil {
		return err
	}
	if page.Shell, err = v.shellFor(begun); err != nil {
		return err
	}
	page.Faults = faults
	return v.render(status, page)
}

// newPasskey begins a passkey that the page may ask the browser for: none where
// they are not offered, or there is no room for another.
func (v *visit) newPasskey(set *factor.Set) (*factor.Ceremony, string, error) {
	if v.config.Passkeys == nil {
		return nil, "", nil
	}
	u := v.account.User
	options, ceremony, err := v.config.Passkeys.Enrol(v.db, set, u.Username, u.DisplayName())
	if errors.Is(err, factor.ErrTooMany) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return &ceremony, string(options), nil
}

// changeFactors has edit change what the visitor signs in with. Whoever is signed
// in elsewhere, by what counted until then, is not any more, and the cookie that
// counted until then is worth nothing (row U08).
func (v *visit) changeFactors(event authz.EventType, edit func(*factor.Set, *tokenstore.Change) error) error {
	set, err := factor.Load(v.r.Context(), v.db, v.subject())
	if err != nil {
		return err
	}
	change := v.db.NewChange()
	if err := edit(set, change); err != nil {
		return err
	}
	cookie, err := v.config.SignIn.Renew(v.r.Context(), v.r, change, v.account)
	if err != nil {
		return err
	}
	if err := v.commit(change, authz.Event{Type: event, Subject: v.subject(), Actor: v.subject()}); err != nil {
		return err
	}
	http.SetCookie(v.w, cookie)
	return nil
}

// addPasskey takes what the browser made of the page's options.
func (v *visit) addPasskey() error {
	if v.config.Passkeys == nil || v.form.Passkey == nil {
		return refuse(authz.ErrInvalidRequest)
	}
	name := v.field(pages.FieldName)
	if err := factor.ValidatePasskeyName(name); err != nil {
		return v.security(http.StatusBadRequest, pages.Fault{Field: pages.FieldName, Message: pages.MessageInvalid, Detail: pages.Untrusted(err.Error())})
	}
	err := v.changeFactors(authz.EventFactorAdded, func(set *factor.Set, change *tokenstore.Change) error {
		_, err := v.config.Passkeys.Enrolled(v.r.Context(), v.db, change, set, *v.form.Passkey, []byte(v.field(pages.FieldPasskey)), name, v.subject())
		return err
	})
	switch {
	case errors.Is(err, factor.ErrRefused):
		return v.security(http.StatusBadRequest, pages.Fault{Message: pages.MessagePasskey})
	case errors.Is(err, factor.ErrTooMany):
		return v.security(http.StatusConflict, pages.Fault{Message: pages.MessageLimit})
	case err != nil:
		return err
	}
	return v.done(v.self(), pages.MessagePasskeyAdded)
}

// removePasskey takes a passkey away.
func (v *visit) removePasskey() error {
	id := v.field(pages.FieldCredential)
	err := v.changeFactors(authz.EventFactorRemoved, func(set *factor.Set, change *tokenstore.Change) error {
		if len(set.Passkeys()) == 1 && !v.hasPassword() {
			return errLastFactor
		}
		return set.RemovePasskey(change, id, v.subject())
	})
	switch {
	case errors.Is(err, errLastFactor):
		return v.security(http.StatusConflict, pages.Fault{Message: pages.MessageLastFactor})
	case errors.Is(err, factor.ErrNotFound):
		return errNotHere
	case err != nil:
		return err
	}
	return v.done(v.self(), pages.MessagePasskeyRemoved)
}

// errLastFactor: nothing else would be left to sign in with.
var errLastFactor = errors.New("account: nothing else is left to sign in with")

// hasPassword reports whether the visitor can sign in with one, here or at a source.
func (v *visit) hasPassword() bool { return !v.account.User.Local() || v.account.User.Password != "" }

// renewRecovery makes new recovery codes and shows them, once.
func (v *visit) renewRecovery() error {
	var codes []string
	err := v.changeFactors(authz.EventFactorAdded, func(set *factor.Set, change *tokenstore.Change) (err error) {
		v.once(change)
		codes, err = set.NewRecoveryCodes(v.db, change, v.subject())
		return err
	})
	if errors.Is(err, factor.ErrNotFound) {
		return v.security(http.StatusConflict, pages.Fault{Message: pages.MessageInvalid})
	}
	if err != nil {
		return err
	}
	shell, err := v.shell()
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, pages.AccountRecovery{Shell: shell, Codes: codes, Done: v.page.path})
}
