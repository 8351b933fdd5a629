// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Lengths of a password that is chosen, in bytes. All of it counts: nothing is cut off.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// ErrPassword derives whatever is wrong with a password as such.
var ErrPassword = errors.New("the password is not acceptable")

// ValidatePassword reports what is wrong with a password that somebody chooses. The
// error derives from [ErrPassword] and holds nothing of the password.
func ValidatePassword(password string) error {
	if len(password) < MinPassword {
		return fmt.Errorf("%w: it has fewer than %d bytes", ErrPassword, MinPassword)
	}
	return checkPassword(password)
}

// checkPassword reports whether a text can be a password at all, also one that was
// chosen elsewhere, under other rules.
func checkPassword(password string) error {
	switch {
	case password == "":
		return fmt.Errorf("%w: it is empty", ErrPassword)
	case len(password) > MaxPassword:
		return fmt.Errorf("%w: it has more than %d bytes", ErrPassword, MaxPassword)
	case !utf8.ValidString(password):
		return fmt.Errorf("%w: it is no UTF-8 text", ErrPassword)
	case strings.ContainsRune(password, 0):
		// Some implementations end there: what comes after would not count.
		return fmt.Errorf("%w: it has a NUL character", ErrPassword)
	}
	return nil
}
