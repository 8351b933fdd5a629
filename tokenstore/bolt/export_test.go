// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import "context"

// Long is the flag -long, for the tests of package bolt_test.
var Long = long

// OpenUnsynced opens a store that acknowledges what it has not synced.
func OpenUnsynced(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := Open(ctx, path, o)
	if err == nil {
		s.db.NoSync = true
	}
	return s, err
}
