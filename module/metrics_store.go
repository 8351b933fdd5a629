// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// storeCollector reads the figures of the open stores when they are asked for:
// nothing is counted twice, and nothing is counted for nobody. With more than
// one store open, as for a moment in a reload that changes it, they are summed.
type storeCollector struct{}

// figure is one metric and where it is found.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *tokenstore.Stats, now time.Time) float64
}

func newFigure(name, help string, kind prometheus.ValueType, value func(*tokenstore.Stats, time.Time) float64) figure {
	return figure{prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, nil, nil), kind, value}
}

// since is the age of a moment in seconds, zero for none.
func since(moment, now time.Time) float64 {
	if moment.IsZero() {
		return 0
	}
	return now.Sub(moment).Seconds()
}

var figures = []figure{
	newFigure("cache_hits_total", "Look-ups that the cache answered.", prometheus.CounterValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.CacheHits) }),
	newFigure("cache_misses_total", "Look-ups that the cache could not answer.", prometheus.CounterValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.CacheMisses) }),
	newFigure("cache_entries", "Records in the cache.", prometheus.GaugeValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.CacheEntries) }),
	newFigure("cache_capacity_entries", "Records that the cache can hold.", prometheus.GaugeValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.CacheCapacity) }),
	newFigure("store_changes_total", "Changes made in the store.", prometheus.CounterValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.Commits) }),
	newFigure("store_conflicts_total", "Changes that lost a race.", prometheus.CounterValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.Conflicts) }),
	newFigure("store_unknown_total", "Changes whose outcome stayed unknown.", prometheus.CounterValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.Unknown) }),
	newFigure("store_damaged_total", "Refusals of damaged records. Anything but 0 is an alarm.", prometheus.CounterValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.Damaged) }),
	newFigure("store_swept_total", "Expired records deleted.", prometheus.CounterValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.Swept) }),
	newFigure("store_sweep_seconds_total", "Time spent deleting expired records.", prometheus.CounterValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return s.SweepTime.Seconds() }),
	newFigure("store_sweep_age_seconds", "Time since the last sweep came to its end.", prometheus.GaugeValue,
		func(s *tokenstore.Stats, now time.Time) float64 { return since(s.LastSweep, now) }),
	newFigure("store_file_bytes", "Size of the store's file.", prometheus.GaugeValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.Engine.FileBytes) }),
	newFigure("store_free_bytes", "Unused room inside the store's file.", prometheus.GaugeValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return float64(s.Engine.FreeBytes) }),
	newFigure("clock_behind_seconds", "How far the machine's clock is behind the store's.", prometheus.GaugeValue,
		func(s *tokenstore.Stats, _ time.Time) float64 { return s.ClockBehind.Seconds() }),
	newFigure("seal_key_age_seconds", "Time since the present sealing key came into use.", prometheus.GaugeValue,
		func(s *tokenstore.Stats, now time.Time) float64 { return since(s.SealKeySince, now) }),
}

var recordsDesc = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "store_records"),
	"Approximate number of records, by kind.", []string{"kind"}, nil)

// Describe implements [prometheus.Collector].
func (storeCollector) Describe(to chan<- *prometheus.Desc) {
	for _, f := range figures {
		to <- f.desc
	}
	to <- recordsDesc
}

// Collect implements [prometheus.Collector].
func (storeCollector) Collect(to chan<- prometheus.Metric) {
	var stores []tokenstore.Stats
	runtimes.Range(func(_, pooled any) bool {
		if rt, ok := pooled.(*runtime); ok {
			stores = append(stores, rt.db.Stats())
		}
		return true
	})
	now := time.Now()
	for _, f := range figures {
		total := 0.0
		for i := range stores {
			total += f.value(&stores[i], now)
		}
		to <- prometheus.MustNewConstMetric(f.desc, f.kind, total)
	}
	records := map[string]int64{}
	for _, s := range stores {
		for kind, n := range s.Records {
			records[kind.String()] += n
		}
	}
	for kind, n := range records {
		to <- prometheus.MustNewConstMetric(recordsDesc, prometheus.GaugeValue, float64(n), kind)
	}
}
