// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import "time"

// getStats shows figures, none of which costs the store a scan but for the first of its clients.
func getStats(r *adminRequest) (any, error) {
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	s := db.Stats()
	view := statsView{
		Issuer: r.app.Issuer, ConfiguredClients: len(r.app.registry.ConfiguredClients()), Guards: len(r.app.guards),
		FileBytes: s.Engine.FileBytes, FreeBytes: s.Engine.FreeBytes,
		CacheEntries: s.CacheEntries, CacheHits: s.CacheHits, CacheMisses: s.CacheMisses,
		Commits: s.Commits, Swept: s.Swept, LastSweep: moment(s.LastSweep), Damaged: s.Damaged,
		Relaxed: r.app.relaxed(r.Context()),
	}
	for kind, n := range s.Records {
		if view.Records == nil {
			view.Records = map[string]int64{}
		}
		view.Records[kind.String()] = n
	}
	return view, nil
}

// moment is t as documents have it: absent when it is zero.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
