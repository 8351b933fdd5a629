// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// maxSecretInput is the longest token or secret that is read, in bytes.
const maxSecretInput = 16 << 10

var isTerminal = term.IsTerminal

// readSecret reads a token or secret from standard input: to its end when it is
// a pipe or file, one line without echo when it is a terminal. argument is what
// stood on the command line in its place: "-" or nothing.
func (c *console) readSecret(what, argument string) (string, error) {
	if argument != "" && argument != "-" {
		return "", refuse("a %s is not taken from the command line, where other users of this machine and the shell's history would see it: "+
			"leave it out to be asked, or pipe it in: printf %%s \"$X\" | %s -", what, c.cmd.CommandPath())
	}
	var text []byte
	var err error
	if f, is := terminal(c.cmd.InOrStdin()); is {
		fmt.Fprintf(c.cmd.ErrOrStderr(), "Enter the %s (it is not shown): ", what)
		text, err = term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.cmd.ErrOrStderr())
	} else {
		text, err = io.ReadAll(io.LimitReader(c.cmd.InOrStdin(), maxSecretInput+1))
	}
	if err != nil {
		return "", refuse("reading the %s from standard input: %s", what, err)
	}
	if len(text) > maxSecretInput {
		return "", refuse("standard input is longer than any %s", what)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", refuse("standard input holds no %s", what)
	}
	return secret, nil
}
