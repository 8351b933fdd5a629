// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Numbers of the reserve.
const (
	// reserveItems of reserveItem bytes each are kept in the file as ballast, for
	// the day the disk is full: then they are removed, and their pages serve the
	// batches that are urgent. 1 MiB: a revocation writes some hundred bytes.
	reserveItems = 1024
	reserveItem  = 1024
)

var errFull = fmt.Errorf("%w; only revocations are taken", tokenstore.ErrFull)

func isUrgent(r *request) bool { return r.urgent }

// releaseReserve turns the ballast into free pages. From then on only urgent
// batches are taken.
func (s *Store) releaseReserve() error {
	err := s.transact(func(tx *bbolt.Tx) (*staged, error) {
		return s.unchanged(), tx.DeleteBucket(bucketReserve)
	})
	if err == nil {
		s.scarce, s.restored = true, time.Now()
		s.opts.Logger.Error("the disk is full: the store takes revocations only", "path", s.file.Name())
	}
	return err
}

// restoreReserve puts the ballast back, if that is due and there is room.
func (s *Store) restoreReserve() {
	if !s.scarce || time.Since(s.restored) < mendEvery {
		return
	}
	s.restored = time.Now()
	err := s.transact(func(tx *bbolt.Tx) (*staged, error) {
		return s.unchanged(), fillReserve(tx, reserveItems)
	})
	if err == nil {
		s.scarce = false
		s.opts.Logger.Info("the store has room again", "path", s.file.Name())
	}
}

// fillReserve writes the ballast.
func fillReserve(tx *bbolt.Tx, items int) error {
	reserve, err := tx.CreateBucket(bucketReserve)
	if err != nil {
		return err
	}
	reserve.FillPercent = 1 // in order, and never changed
	for i := range items {
		key := binary.BigEndian.AppendUint32(nil, uint32(i))
		if err := reserve.Put(key, make([]byte, reserveItem)); err != nil {
			return err
		}
	}
	return nil
}
