// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"fmt"
	"runtime/debug"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// guard runs what touches the file's pages. bbolt reads them through a memory
// map, trusts what it reads, and panics when it was wrong to; a page that the
// disk cannot deliver is a fault. Either becomes [tokenstore.ErrDamaged].
func guard(touch func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if p := recover(); p != nil {
			// bbolt's panics name pages and, one of them, a bucket; never a record.
			err = fmt.Errorf("%w: reading the file: %v", tokenstore.ErrDamaged, p)
		}
	}()
	return touch()
}
