// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"fmt"
	"hash/maphash"
)

// maxFindings is how many faults a check describes; it counts them all.
const maxFindings = 20

// checkPage is how many records a check reads at a time.
const checkPage = 1000

// Checked is what [Check] found.
type Checked struct {
	About
	// Records are the numbers of records by kind, damaged ones included.
	Records map[Kind]int64
	// Faults counts what is wrong, and Findings describes the first of it, in
	// sentences without keys and values. A store without faults is sound.
	Faults   int64
	Findings []string
}

// Check reads a whole store and changes nothing: does every record have the MAC
// of this store, does what is sealed open, and will everything that expires be
// swept? progress, which may be nil, hears how many records are done.
//
// Without keys the MACs are not checked, and Authentic is false; with keys that
// are not the store's: ErrSealKey. Other errors, such as ErrDamaged for what the
// engine itself cannot read, mean that the check did not get to the end.
func Check(ctx context.Context, store Store, keys []SealKey, progress func(done int64)) (Checked, error) {
	if progress == nil {
		progress = func(int64) {}
	}
	about, err := Describe(ctx, store, keys)
	if err != nil {
		return Checked{About: about}, err
	}
	c := checking{
		db: &DB{store: store}, keys: keys, progress: progress,
		Checked: Checked{About: about, Records: make(map[Kind]int64)}, seed: maphash.MakeSeed(),
	}
	if len(keys) == 0 {
		err := c.walk(ctx, func(item Item) { c.Records[item.Key.Kind()]++ }, "\x00")
		return c.Checked, err
	}
	items, err := c.db.get(ctx, identityKey())
	if err != nil {
		return c.Checked, err
	}
	_, secret, err := recognise(items[0], keys)
	if err != nil {
		return c.Checked, err
	}
	c.db.auth = newAuthenticator(secret)
	// The index first: then each record can be looked up in it as it comes by.
	if err := c.walk(ctx, c.index, NewKey("", KindExpiry, "")); err != nil {
		return c.Checked, err
	}
	return c.Checked, c.walk(ctx, c.record, "\x00")
}

// checking is one run of Check.
type checking struct {
	Checked
	db       *DB
	keys     []SealKey
	progress func(int64)
	done     int64
	seed     maphash.Seed
	due      map[uint64]bool // what the expiry index lists, as hashes
}

// walk calls see with every record from a key on; of the expiry index, when it
// begins there, with no other.
func (c *checking) walk(ctx context.Context, see func(Item), from Key) error {
	only := from.Kind()
	for from != "" {
		items, next, err := c.db.scan(ctx, from, checkPage)
		if err != nil {
			return err
		}
		for _, item := range items {
			if only == KindExpiry && item.Key.Kind() != KindExpiry {
				return nil
			}
			see(item)
		}
		if only != KindExpiry {
			c.done += int64(len(items))
			c.progress(c.done)
		}
		from = next
	}
	return nil
}

// fault notes something that is wrong.
func (c *checking) fault(format string, args ...any) {
	if c.Faults++; len(c.Findings) < maxFindings {
		c.Findings = append(c.Findings, fmt.Sprintf(format, args...))
	}
}

// index takes in an entry of the expiry index. What is wrong with one is told when
// it comes by as a record.
func (c *checking) index(item Item) {
	second, ok := expirySecond(item.Key)
	f, err := c.db.auth.decodeRecord(item)
	if !ok || err != nil {
		return
	}
	r, err := typed[[][]byte](f)
	if err != nil {
		return
	}
	if c.due == nil {
		c.due = make(map[uint64]bool)
	}
	for _, key := range r.Value {
		c.due[c.hash(Key(key), second)] = true
	}
}

func (c *checking) hash(key Key, second int64) uint64 {
	return maphash.Comparable(c.seed, struct {
		Key
		int64
	}{key, second})
}

// record judges one record.
func (c *checking) record(item Item) {
	kind := item.Key.Kind()
	c.Records[kind]++
	if item.Key == identityKey() {
		return // recognised already; it is no envelope
	}
	f, err := c.db.auth.decodeRecord(item)
	if err != nil {
		c.fault("a record of kind %s is damaged, or was changed: %v", kind, err)
		return
	}
	switch kind {
	case KindExpiry:
		if _, ok := expirySecond(item.Key); !ok {
			c.fault("an entry of the expiry index has no time")
		} else if _, err := typed[[][]byte](f); err != nil {
			c.fault("an entry of the expiry index does not read: %v", err)
		}
	case KindSealed:
		r, err := typed[Sealed](f)
		if err == nil {
			_, err = unseal(c.keys, item.Key, r.Value)
		}
		if err != nil {
			c.fault("a sealed record does not open: %v", err)
		}
	}
	if f.expires != 0 && !c.due[c.hash(item.Key, secondAfter(f.expires))] {
		c.fault("a record of kind %s expires but is not in the expiry index: it will never be swept", kind)
	}
}
