// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
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
		var line string
		if line, err = c.prompt(f, fmt.Sprintf("Enter the %s (it is not shown): ", what)); err != nil {
			return "", err
		}
		text = []byte(line)
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

// prompt asks for a line on a terminal without echo.
func (c *console) prompt(f *os.File, question string) (string, error) {
	fmt.Fprint(c.cmd.ErrOrStderr(), question)
	text, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(c.cmd.ErrOrStderr())
	if err != nil {
		return "", refuse("reading from the terminal: %s", err)
	}
	return string(text), nil
}

// readPassword reads a password from standard input: to its end, but for the end of the
// line, when it is a pipe or file, and twice without echo when it is a terminal.
func (c *console) readPassword() (string, error) {
	f, is := terminal(c.cmd.InOrStdin())
	if !is {
		text, err := io.ReadAll(io.LimitReader(c.cmd.InOrStdin(), maxSecretInput+1))
		if err != nil {
			return "", refuse("reading the password from standard input: %s", err)
		}
		password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		return password, acceptable(password)
	}
	password, err := c.prompt(f, "Enter the password (it is not shown): ")
	if err != nil {
		return "", err
	}
	if err := acceptable(password); err != nil {
		return "", err
	}
	again, err := c.prompt(f, "Once more: ")
	if err != nil {
		return "", err
	}
	if again != password {
		return "", refuse("they are not the same")
	}
	return password, nil
}

func acceptable(password string) error {
	if err := user.ValidatePassword(password); err != nil {
		return refuse("%s", err)
	}
	return nil
}
