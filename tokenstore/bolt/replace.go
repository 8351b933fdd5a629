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

// place is a path at which a file is about to be replaced, locked: nobody else
// replaces it meanwhile, and a server that starts waits and then finds the new one.
type place struct {
	path string
	// store is what is there, or nil where nobody can use that: then file is.
	store *Store
	file  *os.File
	// vacant says that nothing was there: store is empty, and for holding the place.
	vacant bool
}

// hold locks a path. Errors are those of [Open].
func hold(ctx context.Context, path string) (p *place, err error) {
	p = &place{path: path, vacant: !exists(path)}
	p.store, err = Open(ctx, path, Options{})
	switch {
	case err == nil:
		p.vacant = p.vacant && p.store.Revision() == 0 // nor has anybody been faster
		if p.vacant {
			err = adopt(p.store.file, filepath.Dir(path))
		}
	case errors.Is(err, tokenstore.ErrDamaged) || errors.Is(err, tokenstore.ErrFormat):
		if p.file, err = os.Open(path); err != nil {
			return nil, unavailable(err)
		}
		if err := lock(p.file); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", tokenstore.ErrLocked, err), p.file.Close())
		}
	default:
		return nil, err
	}
	if err != nil {
		return nil, errors.Join(unavailable(err), p.release())
	}
	return p, nil
}

// release unlocks the path. Where nothing was there and nothing was put there, nothing
// is afterwards.
func (p *place) release() error {
	if p.file != nil {
		return p.file.Close()
	}
	var err error
	if p.vacant && isAt(p.store.file, p.path) {
		err = removed(p.path)
	}
	return errors.Join(err, p.store.Close())
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
