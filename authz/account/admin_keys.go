// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// keySigning is the value of [pages.FieldKey] for the keys that can be rotated here.
const keySigning = "signing"

// showKeys lists the keys.
func (v *visit) showKeys() error { return v.keys(http.StatusOK) }

func (v *visit) keys(status int, faults ...pages.Fault) error {
	rows, err := v.config.Keys.List(v.r.Context())
	if err != nil {
		return err
	}
	page := pages.AdminKeys{Keys: rows}
	for _, row := range rows {
		page.MayRotate = page.MayRotate || row.Algorithm != ""
	}
	if page.Shell, err = v.shell(); err != nil {
		return err
	}
	page.Faults = faults
	return v.render(status, page)
}

// ErrKeys: keys cannot be rotated, because there are none, or too many already.
var ErrKeys = errors.New("account: the keys cannot be rotated")

// rotateKeys brings in new signing keys. The old ones stay known until all that
// they signed has expired.
func (v *visit) rotateKeys() error {
	if v.field(pages.FieldKey) != keySigning {
		return refuse(authz.ErrInvalidRequest)
	}
	err := v.config.Keys.Rotate(v.r.Context(), v.subject())
	if errors.Is(err, ErrKeys) {
		return v.keys(http.StatusConflict, pages.Fault{Message: pages.MessageLimit})
	}
	if err != nil {
		return err
	}
	return v.done(v.self(), pages.MessageKeysRotated)
}
