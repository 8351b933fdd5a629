// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/storetest"
)

// open is the engine as the suite wants it.
func open(ctx context.Context, dir string) (tokenstore.Store, error) {
	path := filepath.Join(dir, "tokens.db")
	if os.Getenv(envUnsynced) != "" {
		return bolt.OpenUnsynced(ctx, path, bolt.Options{})
	}
	return bolt.Open(ctx, path, bolt.Options{})
}

// envUnsynced makes [open] one that syncs nothing.
const envUnsynced = "BOLT_TEST_UNSYNCED"

func TestMain(m *testing.M) {
	if role := children[os.Getenv(envRole)]; role != nil {
		if err := role(os.Getenv(envPath)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	storetest.Main(m, open)
}

// Ensure that the engine keeps the rules of every engine.
func TestStore(t *testing.T) { storetest.Run(t, open) }

// Ensure that it keeps them when its process is killed.
func TestCrash(t *testing.T) { storetest.Crash(t, open) }
