// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that the collectors can be registered anew by each configuration, go
// on counting, and are named as Prometheus wants it.
func TestMetricsSurviveReloads(t *testing.T) {
	for range 2 {
		registry := prometheus.NewPedanticRegistry()
		for range 2 {
			if err := register(registry); err != nil {
				t.Fatal(err)
			}
		}
		before := testutil.ToFloat64(allowedDecisions)
		new(recorder).Record(context.Background(), authz.Event{Type: authz.EventDecision, Outcome: authz.Allowed})
		if after := testutil.ToFloat64(allowedDecisions); after != before+1 {
			t.Errorf("%v, then %v", before, after)
		}
		if n, err := testutil.GatherAndCount(registry, "caddy_oauth2_decisions_total"); err != nil || n == 0 {
			t.Errorf("%d series, %v", n, err)
		}
		problems, err := testutil.GatherAndLint(registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("%v, %v", problems, err)
		}
	}
}

// Ensure that nothing a client can invent becomes a label.
func TestLabelsAreBounded(t *testing.T) {
	r := newRecorder(zap.NewNop(), []string{authz.GrantClientCredentials})
	before := testutil.CollectAndCount(tokenRequests)
	for _, invented := range []string{"a", "b", "c", "d"} {
		r.Record(context.Background(), authz.Event{Type: authz.EventTokenRequest, Outcome: authz.Denied, Reason: "no_code_" + invented, GrantType: "invented_" + invented})
	}
	if after := testutil.CollectAndCount(tokenRequests); after > before+1 {
		t.Errorf("four invented grant types made %d series", after-before)
	}
	if n := testutil.ToFloat64(tokenRequests.WithLabelValues(other, "denied", other)); n < 4 {
		t.Errorf("%v of 4 are counted as %s", n, other)
	}
}

// Ensure that refusals fill no disk, that every change is written, and that
// requests which pass are not.
func TestAuditLogIsBounded(t *testing.T) {
	core, lines := observer.New(zap.InfoLevel)
	r := newRecorder(zap.New(core), nil)
	began := time.Now()
	for range 10_000 {
		r.Record(context.Background(), authz.Event{Type: authz.EventDecision, Outcome: authz.Denied, Reason: "invalid_token"})
	}
	for range 10_000 {
		r.Record(context.Background(), authz.Event{Type: authz.EventIntrospected, Outcome: authz.Allowed})
	}
	took := time.Since(began)
	if n := lines.Len(); n < lineBurst || n > lineBurst+int(took/lineEvery)+1 {
		t.Errorf("20000 refusals and introspections wrote %d lines in %v", n, took)
	}
	lines.TakeAll()
	for range 1000 {
		r.Record(context.Background(), authz.Event{Type: authz.EventTokenRevoked, Outcome: authz.Allowed, Client: "shop"})
		r.Record(context.Background(), authz.Event{Type: authz.EventDecision, Outcome: authz.Allowed})
	}
	if n := lines.Len(); n != 1000 {
		t.Errorf("1000 changes wrote %d lines", n)
	}
	if got := lines.All()[0]; got.Message != "token_revoked" || got.ContextMap()["client"] != "shop" {
		t.Errorf("line: %v", got)
	}
}

// Ensure that a grant type which a client invented is not in the audit log.
func TestAuditLogHoldsNothingInvented(t *testing.T) {
	core, lines := observer.New(zap.InfoLevel)
	newRecorder(zap.New(core), nil).Record(context.Background(),
		authz.Event{Type: authz.EventTokenRequest, Outcome: authz.Denied, GrantType: "canary\ncanary"})
	for key, value := range lines.All()[0].ContextMap() {
		if text, _ := value.(string); strings.Contains(text, "canary") {
			t.Errorf("%s is %q", key, text)
		}
	}
}

// Ensure that a throttle lets a burst pass, then one at a time, and says how
// many it turned away.
func TestThrottle(t *testing.T) {
	var th throttle
	now := time.Unix(1_000_000, 0)
	passed := 0
	for range 3 * lineBurst {
		if pass, _ := th.take(now); pass {
			passed++
		}
	}
	if passed != lineBurst {
		t.Errorf("%d passed at once", passed)
	}
	if pass, leftOut := th.take(now.Add(lineEvery)); !pass || leftOut != 2*lineBurst {
		t.Errorf("a moment later: %v, %d left out", pass, leftOut)
	}
	if pass, _ := th.take(now.Add(lineEvery)); pass {
		t.Error("two passed in one moment")
	}
	if pass, leftOut := th.take(now.Add(time.Hour)); !pass || leftOut != 1 {
		t.Errorf("an hour later: %v, %d left out", pass, leftOut)
	}
}
