// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package keyring_test

import (
	"slices"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Ensure that each rotation is in the audit ring, whoever caused it, and that nothing
// else is.
func TestRotationsAreAudited(t *testing.T) {
	w := newWorld(t)
	rotate := func(pace keyring.Pace) {
		if err := w.keys.Rotate(t.Context(), keyring.AccessTokens, keyring.Policy{}, pace, "somebody"); err != nil {
			t.Fatal(err)
		}
	}
	w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour)
	w.sign(t, keyring.AccessTokens, keyring.Policy{}, 100*time.Hour) // which the key is published longer for
	w.pass(keyring.DefaultRotation)
	w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour) // brings in the next one
	w.pass(keyring.PublishAhead)
	w.sign(t, keyring.AccessTokens, keyring.Policy{}, time.Hour)
	rotate(keyring.Overlapping)
	rotate(keyring.Overlapping) // one waits already
	rotate(keyring.AtOnce)
	rotate(keyring.Revoking)
	entries, err := w.db.AuditLog(t.Context(), 0, tokenstore.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	var actors []string
	for _, e := range entries {
		if e.Type != string(authz.EventKeyRotated) || e.Outcome != string(authz.Allowed) {
			t.Errorf("there is %+v", e)
		}
		actors = append([]string{e.Actor}, actors...)
	}
	if want := []string{"schedule", "somebody", "somebody", "somebody"}; !slices.Equal(actors, want) {
		t.Errorf("rotated by %q, want %q", actors, want)
	}
}
