// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"fmt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// horizon is how far the disk has confirmed. bbolt writes a commit's pages,
// syncs, writes a new header, which readers see from then on, and syncs again:
// what lies beyond the horizon can be read but may still be lost.
type horizon struct {
	snapshot int                 // number of the last confirmed transaction
	revision tokenstore.Revision // the highest revision in it
	flight   <-chan struct{}     // closed when the commit in progress ends; nil without one
}

// waitRevision waits until everything up to rev is durable.
func (s *Store) waitRevision(ctx context.Context, rev tokenstore.Revision) error {
	return s.wait(ctx, func(h *horizon) bool { return rev <= h.revision })
}

// waitSnapshot waits until a transaction and all before it are durable.
func (s *Store) waitSnapshot(ctx context.Context, snapshot int) error {
	return s.wait(ctx, func(h *horizon) bool { return snapshot <= h.snapshot })
}

func (s *Store) wait(ctx context.Context, durable func(*horizon) bool) error {
	for {
		h := s.horizon.Load()
		if durable(h) {
			return nil
		}
		if h.flight == nil {
			return errDoubt
		}
		select {
		case <-h.flight:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errDoubt = fmt.Errorf("%w: the disk has not confirmed the last change", tokenstore.ErrUnavailable)

// settle makes durable what readers could see: the commit in doubt becomes one
// that happened. To sync again would not do: after a failed sync the kernel may
// take the pages for clean. The pages below the header were synced before it was
// written, so the headers alone are written anew, as they are.
//
// Until this has succeeded no other commit may begin: it could reuse pages that
// the older header, the one surely on the disk, still needs.
func (s *Store) settle() error {
	page := make([]byte, s.db.Info().PageSize)
	for i := range int64(2) {
		at := i * int64(len(page))
		if _, err := s.file.ReadAt(page, at); err != nil {
			return err
		}
		if _, err := s.file.WriteAt(page, at); err != nil {
			return err
		}
	}
	return s.opts.faults.sync(s.db)
}
