// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"io/fs"
	"os"
)

// nameNew gives a finished file its name, unless that is taken: then the error is
// [fs.ErrExist], and what has the name stays as it is. The draft's own name may be
// left over.
func nameNew(draft, file string) error {
	// A link, other than a rename, replaces nothing.
	err := os.Link(draft, file)
	if err == nil {
		return nil
	}
	switch _, there := os.Lstat(file); {
	case there == nil:
		return fs.ErrExist
	case errors.Is(there, fs.ErrNotExist): // there are file systems without links
		return os.Rename(draft, file)
	default:
		return err
	}
}
