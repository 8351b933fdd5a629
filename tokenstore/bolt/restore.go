// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
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
// it. Where there was none, an empty one holds the place meanwhile. The backup is checked to the last record first, and not changed.
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
	if exists(path) && isAt(source.file, path) {
		return done, fmt.Errorf("%s is the store itself, not a backup of it", backup)
	}
	if done.Backup, err = checkBackup(ctx, source, opts); err != nil {
		return done, fmt.Errorf("%s: %w", backup, err)
	}
	there, err := hold(ctx, path)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, there.release()) }()
	goesOn := Options{startAt: source.Revision() + revisionGap}
	if present := there.store; present != nil && !there.vacant {
		if err := opts.succeed(ctx, present, done.Backup); err != nil {
			return done, err
		}
		goesOn.startAt = max(goesOn.startAt, present.Revision()+revisionGap)
	}
	made, err := draft(path)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, tidy(made)) }()
	if err := makeStore(ctx, source.file, made, goesOn, opts.RestoreOptions); err != nil {
		return done, err
	}
	if !there.vacant {
		done.Kept = path + ".before-restore-" + opts.Now().UTC().Format("20060102T150405.000Z")
	}
	return done, replace(ctx, made, path, done.Kept)
}

// checkBackup reads a backup to its last record.
func checkBackup(ctx context.Context, source *Store, opts RestoreOptions) (tokenstore.Checked, error) {
	total := source.Stats().Keys
	found, err := tokenstore.Check(ctx, source, opts.SealKeys, func(n int64) {
		if opts.Progress != nil {
			opts.Progress(n, total)
		}
	})
	if err == nil && found.Faults > 0 {
		err = fmt.Errorf("%w: %d faults, first: %s", tokenstore.ErrDamaged, found.Faults, found.Findings[0])
	}
	return found, err
}

// succeed decides whether a backup may take the place of the present store, and
// notes the time from which it has to go on.
func (o *RestoreOptions) succeed(ctx context.Context, present *Store, backup tokenstore.Checked) error {
	about, err := tokenstore.Describe(ctx, present, o.SealKeys)
	if err == nil && about.ID != backup.ID && !o.Other {
		return fmt.Errorf("%w: its id is %x, that of %s is %x", ErrOtherStore, backup.ID, present.file.Name(), about.ID)
	}
	if !o.ResetClock {
		o.Seen = about.Clock
	}
	return nil
}

// makeStore makes a store of a copy of the backup.
func makeStore(ctx context.Context, backup *os.File, path string, goesOn Options, opts tokenstore.RestoreOptions) error {
	if err := copyFile(ctx, backup, path); err != nil {
		return err
	}
	store, err := Open(ctx, path, goesOn)
	if err != nil {
		return err
	}
	return tokenstore.Restore(ctx, store, opts)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// tidy removes a draft, if it still has that name, and what its migration may have
// put beside it.
func tidy(made string) error {
	err := removed(made)
	for from := uint32(1); from < layouts.present; from++ {
		err = errors.Join(err, removed(backupBefore(made, from)))
	}
	return err
}
