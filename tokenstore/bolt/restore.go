// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// revisionGap is how far a restored store's revisions are from those that the
// store before it may have used after the backup: a thousand batches a second
// for 34 years. There is room for millions of such gaps.
const revisionGap = 1 << 40

// ErrOtherStore: the backup is not one of the store that it is to replace.
var ErrOtherStore = errors.New("the backup is of another store")

// RestoreOptions are the options of [Restore].
type RestoreOptions struct {
	tokenstore.RestoreOptions
	// Other permits a backup of another store than the one that is replaced.
	Other bool
	// Progress, if set, hears how many of how many records of the backup are
	// checked.
	Progress func(done, total int64)
}

// Restored is what [Restore] did.
type Restored struct {
	// Backup is what the check of the backup found.
	Backup tokenstore.Checked
	// Kept is where the replaced file is now; empty where there was none.
	Kept string
}

// Restore puts a backup in the place of the store at path, in one step: whatever
// happens, path is the old store or the new one, and the old one is kept beside
// it. The backup is checked to the last record first, and not changed.
//
// Errors: ErrLocked while somebody has the store open; ErrSealKey, ErrFormat and
// ErrDamaged for the backup; ErrOtherStore; ErrUnavailable, ErrFull. After any of
// them the old store is as it was.
func Restore(ctx context.Context, backup, path string, opts RestoreOptions) (done Restored, err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	source, err := OpenReadOnly(ctx, backup)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if isAt(source.file, path) && exists(path) {
		return done, fmt.Errorf("%s is the store itself, not a backup of it", backup)
	}
	total := source.Stats().Keys
	done.Backup, err = tokenstore.Check(ctx, source, opts.SealKeys, func(n int64) {
		if opts.Progress != nil {
			opts.Progress(n, total)
		}
	})
	switch {
	case err != nil:
		return done, fmt.Errorf("%s: %w", backup, err)
	case done.Backup.Faults > 0:
		return done, fmt.Errorf("%s: %w: %d faults, first: %s", backup, tokenstore.ErrDamaged, done.Backup.Faults, done.Backup.Findings[0])
	}

	present, err := hold(ctx, path, Options{})
	if err != nil {
		return done, err
	}
	engine := Options{startAt: source.Revision() + revisionGap}
	if present != nil {
		defer func() { err = errors.Join(err, present.Close()) }()
		about, err := tokenstore.Describe(ctx, present, opts.SealKeys)
		if err == nil && about.ID != done.Backup.ID && !opts.Other {
			return done, fmt.Errorf("%s: %w: its id is %x, that of %s is %x", backup, ErrOtherStore, done.Backup.ID, path, about.ID)
		}
		engine.startAt = max(engine.startAt, present.Revision()+revisionGap)
		if !opts.ResetClock {
			opts.Seen = about.Clock
		}
	}

	made, err := draft(path)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, tidy(made)) }()
	if err := copyFile(ctx, source.file, made); err != nil {
		return done, err
	}
	store, err := Open(ctx, made, engine)
	if err != nil {
		return done, err
	}
	if err := tokenstore.Restore(ctx, store, opts.RestoreOptions); err != nil {
		return done, err
	}
	if exists(path) {
		done.Kept = path + ".before-restore-" + opts.Now().UTC().Format("20060102T150405.000Z")
	}
	return done, replace(ctx, made, path, done.Kept)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// tidy removes a draft, if it still has that name, and what its opening may have
// put beside it.
func tidy(made string) error {
	left, err := filepath.Glob(made + "*")
	for _, path := range left {
		err = errors.Join(err, removed(path))
	}
	return err
}
