// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package guess

import "time"

// record is what is remembered of an account or an address.
type record struct {
	// failures is how many count at the time at.
	failures int
	at       time.Time
	// next is when the next try may come.
	next time.Time
}

// table remembers failures by key, a bounded number of them.
type table struct {
	rules
	size    int
	records map[uint64]record
}

func newTable(r rules, size int) table {
	return table{rules: r, size: size, records: map[uint64]record{}}
}

// delay is the time after which the next try may come.
func (r rules) delay(failures int) time.Duration {
	if failures < r.free {
		return 0
	}
	d := time.Second
	for ; failures > r.free && d < r.longest; failures-- {
		d *= 2
	}
	return min(d, r.longest)
}

// most is how many failures count: more would only take longer to be forgotten.
func (r rules) most() int {
	n := r.free
	for r.delay(n) < r.longest {
		n++
	}
	return n
}

// aged is what is left of a record at now.
func (r rules) aged(rec record, now time.Time) record {
	if gone := int(now.Sub(rec.at) / r.forget); gone > 0 {
		rec.failures = max(0, rec.failures-gone)
		rec.at = rec.at.Add(time.Duration(gone) * r.forget)
	}
	return rec
}

// wait is how long the next try has to wait.
func (t *table) wait(now time.Time, key uint64) time.Duration {
	return max(0, t.records[key].next.Sub(now))
}

// fail counts a failure.
func (t *table) fail(now time.Time, key uint64) {
	rec, known := t.records[key]
	if !known {
		rec = record{failures: t.room(now), at: now}
	}
	rec = t.aged(rec, now)
	rec.failures = min(rec.failures+1, t.most())
	rec.next = now.Add(t.delay(rec.failures))
	t.records[key] = rec
}

// refund takes a failure back, and the wait that came of it.
func (t *table) refund(now time.Time, key uint64) {
	rec, known := t.records[key]
	if !known {
		return
	}
	rec = t.aged(rec, now)
	rec.failures, rec.next = max(0, rec.failures-1), now
	t.records[key] = rec
	if rec.failures == 0 {
		t.drop(key)
	}
}

func (t *table) drop(key uint64) { delete(t.records, key) }

// sample is among how many records the least worth one is looked for.
const sample = 16

// room makes room for one more record, and returns the failures that this begins
// with. Of some records, the one with the fewest failures goes, the oldest
// of these. Whoever takes its place takes over its failures too, as far as they cost
// no wait: so nothing is won by pushing out what is remembered of an account.
func (t *table) room(now time.Time) (failures int) {
	if len(t.records) < t.size {
		return 0
	}
	var least uint64
	var worth record
	looked := 0
	for key, rec := range t.records {
		rec = t.aged(rec, now)
		if looked == 0 || rec.failures < worth.failures || rec.failures == worth.failures && rec.at.Before(worth.at) {
			least, worth = key, rec
		}
		if looked++; looked == sample {
			break
		}
	}
	t.drop(least)
	return min(worth.failures, t.free-1)
}
