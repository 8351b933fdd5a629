// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// figures are what Stats shows. The committer writes them, anybody reads.
type figures struct {
	mu    sync.Mutex
	stats tokenstore.StoreStats
}

// add counts a group.
func (f *figures) add(batches int, took time.Duration, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.CommitSeconds += took.Seconds()
	if done {
		f.stats.Commits++
		f.stats.Batches += uint64(batches)
	}
}

// describe notes the file as a commit left it.
func (f *figures) describe(b bbolt.Stats, pageSize int, keys uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.FreeBytes = int64(b.FreePageN+b.PendingPageN) * int64(pageSize)
	f.stats.Keys = int64(keys)
}

// Stats implements [tokenstore.StatsReporter].
func (s *Store) Stats() tokenstore.StoreStats {
	s.figures.mu.Lock()
	stats := s.figures.stats
	s.figures.mu.Unlock()
	if info, err := s.file.Stat(); err == nil {
		stats.FileBytes = info.Size()
	}
	return stats
}
