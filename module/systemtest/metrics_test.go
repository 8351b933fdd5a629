// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strings"
	"testing"
)

// Ensure that each figure which operators are promised is in Caddy's registry
// and moves with what it counts, and that a reload takes none of it away.
func TestMetricsTellWhatHappens(t *testing.T) {
	t.Parallel()
	g, _ := startGuarded(t)
	token := g.shopToken("user")
	for range 3 {
		if status := g.call("api.localhost", "/x", token); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	g.call("api.localhost", "/x", "")
	g.call("api.localhost", "/orders/1", token)
	g.post("/oauth/token", "shop", "no secret of shop", nil)

	least := []struct {
		name  string
		value float64
		label string
	}{
		{"decisions_total", 3, `outcome="allowed"`},
		{"decisions_total", 1, `reason="insufficient_scope"`},
		{"decisions_total", 2, `outcome="denied"`},
		{"guard_duration_seconds_count", 5, ""},
		{"cache_hits_total", 1, ""},
		{"cache_misses_total", 1, ""},
		{"cache_entries", 1, ""},
		{"cache_capacity_entries", 1000, ""},
		{"token_requests_total", 1, `grant_type="client_credentials",outcome="allowed"`},
		{"token_requests_total", 1, `outcome="denied",reason="invalid_client"`},
		{"store_commit_duration_seconds_count", 1, ""},
		{"store_commit_group_size_sum", 1, ""},
		{"store_changes_total", 1, ""},
		{"store_file_bytes", 1000, ""},
		{"store_free_bytes", 0, ""},
		{"store_records", 1, `kind="credential"`},
		{"store_records", 1, `kind="grant"`},
		{"store_swept_total", 0, ""},
		{"store_sweep_seconds_total", 1e-9, ""},
		{"store_sweep_age_seconds", 1e-9, ""},
		{"store_conflicts_total", 0, ""},
		{"store_unknown_total", 0, ""},
		{"store_damaged_total", 0, ""},
		{"clock_behind_seconds", 0, ""},
		{"seal_key_age_seconds", 1e-9, ""},
		{"panics_total", 0, ""},
		{"keys_fetches_total", 0, `outcome="failed"`},
		{"introspection_queries_total", 0, `outcome="failed"`},
	}
	lacking := func() (names string) {
		m := g.metrics()
		for _, l := range least {
			name := "caddy_oauth2_" + l.name
			if _, plain := m[name]; !plain && l.label == "" || sum(m, name, l.label) < l.value {
				names += " " + name + "{" + l.label + "}"
			}
		}
		return names
	}
	missing := ""
	defer func() {
		if missing != "" {
			t.Errorf("not there, or too low:%s", missing)
		}
	}()
	eventually(t, "all figures are there", func() bool { missing = lacking(); return missing == "" })
	g.mustReload(guarded + "# again\n")
	missing = lacking()
}

// Ensure that operators see how old the keys are that sign, in seconds, and that
// there is no such figure where nothing is signed.
func TestMetricsTellTheAgeOfSigningKeys(t *testing.T) {
	t.Parallel()
	const name, longer = "caddy_oauth2_signing_key_age_seconds", 600 // than any test takes
	g, _ := startSigned(t)
	age := func() float64 { return sum(g.metrics(), name, `use="access"`) }
	eventually(t, "the key has an age", func() bool { return age() > 0 })
	before := age()
	eventually(t, "the key grows older", func() bool { return age() > before })
	if last := age(); last > longer {
		t.Errorf("the key is %v s old", last)
	}
	opaque, _ := startGuarded(t)
	for series := range opaque.metrics() {
		if strings.HasPrefix(series, name) {
			t.Errorf("nothing is signed, and yet there is %s", series)
		}
	}
}
