// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package consent_test

import (
	"slices"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	orders  = "https://orders.example.com"
	reports = "https://reports.example.com"
)

// say has ann, asked by the shop for some scopes at some resources, allow granted.
func (w *world) say(asked, granted string, resources ...string) {
	w.Helper()
	h := w.held("ann", "shop")
	if err := w.commit(func(c *tokenstore.Change) { h.Give(c, w.db.Now(), words(asked), words(granted), resources) }); err != nil {
		w.Fatal(err)
	}
}

// covers reports whether ann need not be asked when the shop wants scopes at resources.
func (w *world) covers(scopes string, resources ...string) bool {
	w.Helper()
	return w.held("ann", "shop").Covers(words(scopes), words("x"), resources)
}

// Ensure that a scope that was allowed at one site is allowed at no other (RFC 8707 §2),
// and that two sites together need to be allowed each.
func TestAllowedBySite(t *testing.T) {
	w := newWorld(t)
	w.say("read", "read", orders)
	w.say("admin", "admin", reports)
	for _, c := range []struct {
		scopes    string
		resources []string
		covers    bool
	}{
		{"read", []string{orders}, true}, {"admin", []string{reports}, true},
		{"admin", []string{orders}, false}, {"read", []string{reports}, false},
		{"admin read", []string{orders}, false}, {"admin", []string{orders, reports}, false}, {"read", []string{orders, reports}, false},
		{"", []string{orders, reports}, true}, {"", []string{orders, site[0]}, false},
	} {
		if got := w.covers(c.scopes, c.resources...); got != c.covers {
			t.Errorf("%q at %v: %v", c.scopes, c.resources, got)
		}
	}
	before := w.held("ann", "shop").Anchor
	w.say("admin read", "admin read", orders, reports)
	if !w.covers("admin read", reports, orders) {
		t.Error("allowed at both, and asked again")
	}
	h := w.held("ann", "shop")
	if h.Scopes().String() != "admin read" || !slices.Equal(h.Resources(), []string{orders, reports}) || h.Anchor != before {
		t.Errorf("%+v", h.Consent)
	}
}

// Ensure that what is unticked for one site stays allowed at another one, and is not
// given at both together.
func TestUntickedBySite(t *testing.T) {
	w := newWorld(t)
	w.say("a x", "a x", orders)
	before := w.held("ann", "shop").Anchor
	w.say("a x", "a", reports)
	h := w.held("ann", "shop")
	if h.Anchor != before {
		t.Error("no to something new ends what there was")
	}
	if !w.covers("a x", orders) || !w.covers("a x", orders, reports) {
		t.Error("asked again")
	}
	both := []string{orders, reports}
	if h.Allowed(both[:1]).String() != "a x" || h.Allowed(both).String() != "a" || h.Unticked(both).String() != "x" || len(h.Unticked(both[:1])) != 0 {
		t.Errorf("%+v", h.Consent)
	}
	w.say("a x", "a", both...)
	if h := w.held("ann", "shop"); h.Anchor == before || h.Allowed(both[:1]).String() != "a" {
		t.Errorf("taken back: %+v", h.Consent)
	}
}
