// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// hold opens the store that is about to be replaced, so that nobody else does.
// Nil: there is none, or none that anybody could use.
func hold(ctx context.Context, path string, opts Options) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	s, err := Open(ctx, path, opts)
	if errors.Is(err, tokenstore.ErrDamaged) || errors.Is(err, tokenstore.ErrFormat) {
		return nil, nil
	}
	return s, err
}

// draft makes an empty file of mode 0600 beside path, of path's owner, to be given
// path's name once it is complete.
func draft(path string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return "", unavailable(err)
	}
	if err := errors.Join(adopt(f, path), f.Close()); err != nil {
		return "", unavailable(errors.Join(err, os.Remove(f.Name())))
	}
	return f.Name(), nil
}

// replace gives a complete, synced file the name path, in one step: at every
// moment path is the old file or the new one. The old one stays under the name
// keep, unless that is empty.
func replace(ctx context.Context, made, path, keep string) error {
	if keep != "" {
		if err := keepAs(ctx, path, keep); err != nil {
			return fmt.Errorf("keeping the old file as %s: %w", keep, err)
		}
	}
	if err := os.Rename(made, path); err != nil {
		return unavailable(err)
	}
	return syncDirectory(filepath.Dir(path))
}

// keepAs gives a file a second name, or, on file systems without links, a copy.
func keepAs(ctx context.Context, path, keep string) error {
	err := os.Link(path, keep)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return unavailable(err)
	}
	return errors.Join(copyFile(ctx, file, keep), file.Close())
}
