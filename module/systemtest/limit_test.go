// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"golang.org/x/sys/unix"
)

// limitFiles sets how large a file of the running gateway may become, as a full
// disk would: writes beyond it fail.
func (g *gateway) limitFiles(size uint64) {
	g.t.Helper()
	limit := unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(g.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		g.t.Fatal(err)
	}
}
