// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package bolt

import (
	"os"
	"path/filepath"
	"syscall"
)

// adopt gives a file that is to get the name path to whoever has what is there, or
// the directory: what root restores, the user that runs the server must be able to
// open. Only root can give files away; everybody else's stay theirs.
func adopt(made *os.File, path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		if info, err = os.Stat(filepath.Dir(path)); err != nil {
			return err
		}
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return made.Chown(int(owner.Uid), int(owner.Gid))
}

// lock locks a file as bbolt does, so that nobody opens it as a store.
func lock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
