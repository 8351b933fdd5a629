// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

func init() {
	caddy.RegisterModule(new(BoltStore))
}

// BoltStore keeps tokens in one file of this machine, with every change on
// disk before it counts. One process at a time can have the file open, and it
// must not lie on a network file system.
type BoltStore struct {
	// The file. Placeholders are resolved when the configuration is loaded. Its
	// directory must exist. Default: `oauth2/tokens.db` in Caddy's data directory,
	// which is made as needed.
	Path string `json:"path,omitempty"`

	// Hold every commit this much longer, to measure what a slower disk would
	// cost. It makes nothing safer. Default: `0s`.
	CommitDelay caddy.Duration `json:"commit_delay,omitempty"`

	path      string
	isDefault bool
}

// CaddyModule returns the Caddy module information.
func (*BoltStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: StoreNamespace + ".bolt", New: func() caddy.Module { return new(BoltStore) }}
}

// Provision finds out where the file is; it does not look for it.
func (b *BoltStore) Provision(caddy.Context) error {
	path := b.Path
	if b.isDefault = path == ""; b.isDefault {
		path = filepath.Join(caddy.AppDataDir(), "oauth2", "tokens.db")
	}
	path, err := caddy.NewReplacer().ReplaceOrErr(path, true, true)
	if err != nil {
		return fmt.Errorf("path of the token store: %w", err)
	}
	if b.path, err = caddy.FastAbs(path); err != nil {
		return fmt.Errorf("path of the token store: %w", err)
	}
	return nil
}

// Validate checks what can be seen without opening the file.
func (b *BoltStore) Validate() error {
	if b.isDefault {
		return nil
	}
	dir := filepath.Dir(b.path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %s of the token store does not exist: make it, owned by the user that runs Caddy, with mode 0700", dir)
	case err != nil:
		return fmt.Errorf("directory of the token store: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s, where the token store should be, is no directory", dir)
	}
	if info, err = os.Stat(b.path); err == nil && info.IsDir() {
		return fmt.Errorf("path %s of the token store is a directory: name a file in it", b.path)
	}
	return nil
}

// Identity implements [tokenstore.Engine]: the path without symbolic links in
// its directories, as far as those exist.
func (b *BoltStore) Identity() (string, error) {
	rest := filepath.Base(b.path)
	for dir := filepath.Dir(b.path); ; dir = filepath.Dir(dir) {
		resolved, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return filepath.Join(resolved, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return "", fmt.Errorf("path of the token store: %w", err)
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

// Open implements [tokenstore.Engine].
func (b *BoltStore) Open(ctx context.Context, lockWait time.Duration, waiting func()) (tokenstore.Store, error) {
	if err := b.makeDirectory(); err != nil {
		return nil, err
	}
	return bolt.Open(ctx, b.path, bolt.Options{
		LockWait: lockWait, OnWaiting: waiting, Observe: observeCommit, CommitDelay: time.Duration(b.CommitDelay),
	})
}

func (b *BoltStore) makeDirectory() error {
	if !b.isDefault {
		return nil
	}
	return os.MkdirAll(filepath.Dir(b.path), 0o700)
}

// observeCommit counts a commit.
func observeCommit(c bolt.Commit) {
	commitSeconds.Observe(c.Took.Seconds())
	commitGroup.Observe(float64(c.Batches))
}

// DefaultSealKey implements [tokenstore.KeyKeeper]: a file beside the store
// whose name ends in .key.
func (b *BoltStore) DefaultSealKey() (string, error) {
	file := keyFileOf(b.path)
	key, err := os.ReadFile(file)
	if err == nil {
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
			storeLogger().Warn("others may read the sealing key; take that away with chmod 600", slog.String("file", file))
		}
		return string(key), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the sealing key: %w", err)
	}
	if _, err := os.Stat(b.path); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: the token store %s is there, its key file %s is not: restore it from a backup, or name the key with seal_key",
			tokenstore.ErrSealKey, b.path, file)
	}
	if err := b.makeDirectory(); err != nil {
		return "", err
	}
	return makeKeyFile(file)
}

// keyFileOf is the key file of a store whose configuration names no key.
func keyFileOf(store string) string {
	return strings.TrimSuffix(store, filepath.Ext(store)) + ".key"
}

// makeKeyFile writes a new random key, and returns that of somebody who was
// faster. The file is never there half written; that it is there at all becomes
// durable together with the store, which the engine makes in the same directory.
func makeKeyFile(file string) (string, error) {
	key := tokenstore.GenerateSealKey().Text()
	draft, err := os.CreateTemp(filepath.Dir(file), ".seal-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("making the sealing key: %w", err)
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(key + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return "", fmt.Errorf("making the sealing key: %w", err)
	}
	if err := nameNew(draft.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("making the sealing key: %w", err)
	}
	// Two processes that start at once go on with the one key that has the name.
	standing, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the sealing key: %w", err)
	}
	return string(standing), nil
}

// UnmarshalCaddyfile reads
//
//	bolt [<path>]
func (b *BoltStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		b.Path = d.Val()
	}
	if d.NextArg() {
		return d.Err("store bolt takes the path of its file and nothing else")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Errf("store bolt takes no block, found %q", d.Val())
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*BoltStore)(nil)
	_ caddy.Validator       = (*BoltStore)(nil)
	_ caddyfile.Unmarshaler = (*BoltStore)(nil)
	_ tokenstore.Engine     = (*BoltStore)(nil)
	_ tokenstore.KeyKeeper  = (*BoltStore)(nil)
)
