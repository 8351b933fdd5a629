// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// migrations leads from every layout there ever was to the present one. Each
// step is one transaction, so that a crash leaves the layout before or after it;
// the next start goes on from there. Before each step the file is copied to a
// name that says its layout, and the copy is checked.
type migrations struct {
	present uint32
	steps   map[uint32]func(*bbolt.Tx) error // by the layout that they start from
}

// layouts are the layouts of this version. There has been one.
var layouts = migrations{present: 1}

// backupBefore is where the copy of a file goes whose layout is about to change.
func backupBefore(path string, layout uint32) string {
	return fmt.Sprintf("%s.before-layout-%d", path, layout+1)
}

// migrate brings a file that is open for writing to the present layout.
func (s *Store) migrate(ctx context.Context, from uint32) error {
	m := *s.opts.layouts
	for ; from < m.present; from++ {
		step := m.steps[from]
		if step == nil {
			return fmt.Errorf("%w: no way leads on from layout %d. Run an older version first", tokenstore.ErrFormat, from)
		}
		path := s.file.Name()
		backup := backupBefore(path, from)
		if err := copyFile(ctx, s.file, backup); err != nil {
			return fmt.Errorf("a backup before the change of the layout: %w", err)
		}
		if err := verify(backup, m, from); err != nil {
			return fmt.Errorf("the backup %s before the change of the layout: %w", backup, err)
		}
		err := s.db.Update(func(tx *bbolt.Tx) error {
			if err := step(tx); err != nil {
				return err
			}
			return tx.Bucket(bucketAbout).Put(keyLayout, binary.BigEndian.AppendUint32(nil, from+1))
		})
		if err != nil {
			return failed(fmt.Errorf("changing the layout from %d to %d: %w", from, from+1, err))
		}
		s.opts.Logger.Warn("the layout of the store's file is a newer one now; the backup is for going back to the older program",
			"path", path, "layout", from+1, "backup", backup)
	}
	return nil
}

// verify checks the structure of a file that should have a certain layout.
func verify(path string, m migrations, layout uint32) error {
	db, file, err := newLockWait(Options{}).open(context.Background(), path, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	found, err := check(db, file, m)
	if err == nil && found != layout {
		err = damaged("its layout is %d, not %d", found, layout)
	}
	return errors.Join(err, db.Close())
}

// copyFile makes, at path, a durable copy of a file that nobody writes. What was
// at path before is replaced, but not before the copy is whole.
func copyFile(ctx context.Context, from *os.File, path string) (err error) {
	made, err := draft(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removed(made)) }()
	to, err := os.OpenFile(made, os.O_WRONLY, 0)
	if err != nil {
		return unavailable(err)
	}
	info, err := from.Stat()
	if err == nil {
		_, err = io.Copy(&stoppable{ctx: ctx, w: to}, io.NewSectionReader(from, 0, info.Size()))
	}
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return failed(err)
	}
	return replace(ctx, made, path, "")
}
