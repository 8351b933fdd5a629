// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// nobody is a user whom the permissions of files bind, as they do not bind root.
const nobody = 65534

func init() { children["may not write"] = mayNotWrite }

// Ensure that a store which may not be written is refused, not served from
// memory, that nothing is left behind, and that a directory which may not be
// written does not matter to a store that is there.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil { // for nobody
		t.Fatal(err)
	}
	out, err := child(t, "may not write", dir).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func mayNotWrite(dir string) error {
	if err := os.Chdir(dir); err != nil { // nobody could not come here by its path
		return err
	}
	if os.Getuid() == 0 {
		if err := syscall.Setuid(nobody); err != nil {
			return err
		}
	}
	ctx := context.Background()
	const home, path = "home", "home/tokens.db"
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	defer func() { _ = os.Chmod(home, 0o700) }()

	// No store, and no leave to make one.
	if err := os.Chmod(home, 0o500); err != nil {
		return err
	}
	if err := refused(ctx, path); err != nil {
		return fmt.Errorf("a directory that may not be written: %w", err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		return fmt.Errorf("left behind: %v, %w", left, err)
	}

	// A store in such a directory.
	if err := os.Chmod(home, 0o700); err != nil {
		return err
	}
	if err := works(ctx, path); err != nil {
		return err
	}
	if err := os.Chmod(home, 0o500); err != nil {
		return err
	}
	if err := works(ctx, path); err != nil {
		return fmt.Errorf("a store in a directory that may not be written: %w", err)
	}

	// A store that may be read only.
	if err := os.Chmod(path, 0o400); err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := refused(ctx, path); err != nil {
		return fmt.Errorf("a file that may not be written: %w", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		return fmt.Errorf("the file has changed, or %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return works(ctx, path)
}

// refused opens a store that must not open, for want of permission.
func refused(ctx context.Context, path string) error {
	s, err := bolt.Open(ctx, path, bolt.Options{})
	switch {
	case err == nil:
		return errors.Join(errors.New("it opened"), s.Close())
	case !errors.Is(err, tokenstore.ErrUnavailable) || !errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("want ErrUnavailable for want of permission, got %w", err)
	}
	return nil
}

// works opens a store and changes something in it.
func works(ctx context.Context, path string) error {
	s, err := bolt.Open(ctx, path, bolt.Options{})
	if err != nil {
		return err
	}
	_, err = s.Apply(ctx, tokenstore.Batch{ID: tokenstore.BatchID{1}, Put: []tokenstore.Put{{Key: "k", Value: []byte("v")}}})
	return errors.Join(err, s.Close())
}
