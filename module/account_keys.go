// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/account"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// accountKeys shows the keys to administrators who are signed in.
type accountKeys struct{ app *App }

// List implements [account.Keys].
func (k accountKeys) List(ctx context.Context) ([]pages.AdminKeyRow, error) {
	if err := k.app.gate.wait(ctx); err != nil {
		return nil, err
	}
	views, err := k.app.keyViews(ctx)
	rows := make([]pages.AdminKeyRow, len(views))
	for i, v := range views {
		rows[i] = pages.AdminKeyRow{ID: v.Fingerprint, Use: v.Use, State: v.State, Algorithm: v.Algorithm, Since: timeOf(v.Since), Until: timeOf(v.Until)}
	}
	return rows, err
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// Rotate implements [account.Keys]. The keys so far stay known until all that they
// signed has expired; to withdraw them at once is for those who can run commands.
func (k accountKeys) Rotate(ctx context.Context, actor string) error {
	if err := k.app.gate.wait(ctx); err != nil {
		return err
	}
	rotated, err := k.app.rotateSigningKeys(ctx, keyring.Overlapping, actor)
	if errors.Is(err, keyring.ErrFull) || err == nil && rotated == 0 {
		return account.ErrKeys
	}
	return err
}

// Interface guard
var _ account.Keys = accountKeys{}
