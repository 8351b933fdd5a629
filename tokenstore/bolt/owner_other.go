// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package bolt

import "os"

// adopt does nothing where access goes by the directory.
func adopt(*os.File, string) error { return nil }

// lock does nothing: no open file can be replaced there.
func lock(*os.File) error { return nil }
