// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// The collectors belong to the process, and each configuration registers them
// in its own new registry: so their values go on after a reload. Every label
// takes its values from a fixed set; what is not in it counts as [other].
const other = "_other"

const namespace = "caddy_oauth2"

var (
	decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "decisions_total",
		Help: "Requests that guards let pass or refused, by outcome (allowed, denied, failed) and reason (the error code, empty when allowed).",
	}, []string{"outcome", "reason"})
	guardSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "guard_duration_seconds",
		Help:    "Time a guard took to decide, without what comes after it.",
		Buckets: []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10},
	})
	tokenRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "token_requests_total",
		Help: "Requests at the token endpoint, by grant type, outcome and reason (the error code, empty when allowed).",
	}, []string{"grant_type", "outcome", "reason"})
	changes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "events_total",
		Help: "Everything else that happens, by type (the names of Caddy's events, such as signed_in or client_added, and token_introspected) and outcome.",
	}, []string{"type", "outcome"})
	panics = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "panics_total",
		Help: "Panics in this module that were caught and answered with 500. Each is a fault to report.",
	})
	commitSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "store_commit_duration_seconds",
		Help:    "Time to make a group of changes durable.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
	})
	commitGroup = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "store_commit_group_size",
		Help:    "Changes that one commit made durable together.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 10),
	})
)

// collectors lists everything that is shown at /metrics.
func collectors() []prometheus.Collector {
	return []prometheus.Collector{
		decisions, guardSeconds, tokenRequests, changes, panics, commitSeconds, commitGroup, storeCollector{}, keysCollector{},
	}
}

// register puts all collectors into a configuration's registry.
func register(registry prometheus.Registerer) error {
	for _, c := range collectors() {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// allowedDecisions is resolved beforehand, because it is counted at every
// request that passes.
var allowedDecisions = decisions.WithLabelValues(string(authz.Allowed), "")

// knownReasons holds the codes that may become labels.
var knownReasons = func() map[string]bool {
	known := map[string]bool{"": true}
	for _, e := range authz.Errors() {
		known[e.Code] = true
	}
	return known
}()

// reason returns code when it may be a label.
func reason(code string) string {
	if knownReasons[code] {
		return code
	}
	return other
}
