// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
)

// keysShown is how long the keys of an owner are shown after they were last
// asked for: a configuration may have dropped who they belong to.
const keysShown = time.Hour

// keysRead bounds how long a scrape waits for our own keys, which are in memory most
// of the time.
const keysRead = time.Second

// keysCollector reads the figures about other servers, their keys above all, and of
// our own keys, when they are asked for. Owners are named where the operator named
// them; strangers are only counted.
type keysCollector struct{}

var (
	keysFetches = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "keys_fetches_total"),
		"Attempts to fetch the keys of other servers and of clients, by outcome (allowed, failed).", []string{"outcome"}, nil)
	keysAge = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "keys_age_seconds"),
		"Time since the keys of an owner were last fetched.", []string{"owner"}, nil)
	keysFailing = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "keys_failing"),
		"1 when the last attempt to fetch the keys of an owner failed, else 0.", []string{"owner"}, nil)
	signingKeyAge = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "signing_key_age_seconds"),
		"Time since the present signing key came into use, by what it signs (access, identity).", []string{"use"}, nil)
	questions = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "introspection_queries_total"),
		"Questions to foreign authorization servers about tokens, by outcome (allowed: there was an answer, failed).", []string{"outcome"}, nil)
)

// Describe implements [prometheus.Collector].
func (keysCollector) Describe(to chan<- *prometheus.Desc) {
	to <- keysFetches
	to <- keysAge
	to <- keysFailing
	to <- questions
	to <- signingKeyAge
}

// Collect implements [prometheus.Collector].
func (keysCollector) Collect(to chan<- prometheus.Metric) {
	collectSigning(to)
	var all, failed, asked, unanswered uint64
	owners := map[string]jwks.Stats{} // the one that is worse off, where an owner has two sets
	runtimes.Range(func(_, pooled any) bool {
		rt, ok := pooled.(*runtime)
		if !ok {
			return true
		}
		a, f := rt.keys.Fetches()
		all, failed = all+a, failed+f
		a, f = rt.foreign.Questions()
		asked, unanswered = asked+a, unanswered+f
		for _, s := range rt.keys.Stats() {
			known, twice := owners[s.Source.Owner]
			if s.Source.By == fetch.Stranger || rt.db.Now().Sub(s.Used) > keysShown || twice && known.Fetched.Before(s.Fetched) {
				continue
			}
			owners[s.Source.Owner] = s
		}
		return true
	})
	to <- prometheus.MustNewConstMetric(keysFetches, prometheus.CounterValue, float64(all-failed), "allowed")
	to <- prometheus.MustNewConstMetric(keysFetches, prometheus.CounterValue, float64(failed), "failed")
	to <- prometheus.MustNewConstMetric(questions, prometheus.CounterValue, float64(asked-unanswered), "allowed")
	to <- prometheus.MustNewConstMetric(questions, prometheus.CounterValue, float64(unanswered), "failed")
	now := time.Now()
	for owner, s := range owners {
		failing := 0.0
		if s.Failing {
			failing = 1
		}
		to <- prometheus.MustNewConstMetric(keysFailing, prometheus.GaugeValue, failing, owner)
		if !s.Fetched.IsZero() {
			to <- prometheus.MustNewConstMetric(keysAge, prometheus.GaugeValue, since(s.Fetched, now), owner)
		}
	}
}

// collectSigning tells the age of the keys that sign, the older one where two stores
// are open.
func collectSigning(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), keysRead)
	defer cancel()
	ages := map[keyring.Purpose]float64{}
	runtimes.Range(func(_, pooled any) bool {
		if rt, ok := pooled.(*runtime); ok {
			list, _ := rt.signs.List(ctx) // in trouble, which other figures tell of, there is none
			for _, key := range list {
				if key.State == keyring.Active {
					ages[key.Purpose] = max(ages[key.Purpose], since(key.Since, rt.db.Now()))
				}
			}
		}
		return true
	})
	for purpose, age := range ages {
		to <- prometheus.MustNewConstMetric(signingKeyAge, prometheus.GaugeValue, age, string(purpose))
	}
}
