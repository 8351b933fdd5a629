// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import "testing"

// BenchmarkRemembered is what a foreign token costs from its second request on.
func BenchmarkRemembered(b *testing.B) {
	w := newWorld(b)
	s := w.set(nil)
	c := bearer(w.sign(w.claims(nil), at))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFirstSeen is what it costs at its first, with the signature.
func BenchmarkFirstSeen(b *testing.B) {
	w := newWorld(b)
	i := w.set(nil).by[w.server.URL]
	raw := w.sign(w.claims(nil), at)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.verify(b.Context(), raw, w.now()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOwn is what our own opaque token costs at a guard that accepts foreign
// ones, beside what it costs elsewhere.
func BenchmarkOwn(b *testing.B) {
	w := newWorld(b)
	s := w.set(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(b.Context(), bearer("co2at_ours")); err != nil {
			b.Fatal(err)
		}
	}
}
