// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
)

// leftover matches the names of files that are beside the store base only while they
// are made: a dot, the name that the file is to get, and what [os.CreateTemp] adds;
// and copies of such files.
func leftover(base string) *regexp.Regexp {
	return regexp.MustCompile(`^\.+` + regexp.QuoteMeta(base) + `(\.before-layout-\d+|\.before-restore-[\dTZ.]+|\.new-\d+)+$`)
}

// removeLeftovers removes what a process that was killed had begun to write beside a
// store. Whoever writes such files has the store's lock, as the caller has; but for
// those who make a new store at the same moment, and they look again.
func removeLeftovers(path string) error {
	directory := filepath.Dir(path)
	entries, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	temporary := leftover(filepath.Base(path))
	for _, entry := range entries {
		if entry.Type().IsRegular() && temporary.MatchString(entry.Name()) {
			err = errors.Join(err, removed(filepath.Join(directory, entry.Name())))
		}
	}
	return err
}
