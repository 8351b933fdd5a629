// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
)

// ErrName derives whatever is wrong with a user name or e-mail address as such.
var ErrName = errors.New("the name is malformed")

// foldings is how often a name is folded until it no longer changes: folding can
// undo normalization, and the other way round, but not for ever.
const foldings = 4

// Canonical returns the one form of a user name or e-mail address: without spaces
// around it and with single ones in it, under Unicode's compatibility normalization
// (NFKC), without regard to case. So whoever looks the same to people, or writes the
// same by other means, is the same: one account, and one counter of guesses.
//
// The error derives from [ErrName]: an empty name, one longer than [MaxUserName], one
// with control characters, marks of direction, and others that do not show, or one of
// the form of a subject, so that no name is ever taken for somebody else's subject.
func Canonical(name string) (string, error) {
	if len(name) > 4*MaxUserName { // no need to normalize a megabyte to find it too long
		return "", errLongName
	}
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("%w: it is no UTF-8 text", ErrName)
	}
	name = strings.TrimSpace(name)
	if err := visible(name); err != nil {
		return "", err
	}
	for range foldings {
		before := name
		name = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
		name = strings.Join(strings.Fields(name), " ")
		if name == before {
			return checkName(name)
		}
	}
	return "", fmt.Errorf("%w: it has no canonical form", ErrName)
}

var errLongName = fmt.Errorf("%w: it is longer than %d bytes", ErrName, MaxUserName)

func checkName(name string) (string, error) {
	switch {
	case name == "":
		return "", fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > MaxUserName:
		return "", errLongName
	case token.HasFormOfID(name):
		return "", fmt.Errorf("%w: it has the form of a subject", ErrName)
	}
	return name, visible(name)
}

// CanonicalEmail is Canonical for what must be an e-mail address: something, one @,
// and something, without a space.
func CanonicalEmail(address string) (string, error) {
	address, err := Canonical(address)
	if err != nil {
		return "", err
	}
	local, domain, _ := strings.Cut(address, "@")
	if local == "" || domain == "" || strings.ContainsAny(domain, "@ ") || strings.Contains(local, " ") {
		return "", fmt.Errorf("%w: an e-mail address is written name@example.com", ErrName)
	}
	return address, nil
}

// visible reports whether all of a name shows, but for spaces.
func visible(name string) error {
	for _, r := range name {
		if r != ' ' && !unicode.IsGraphic(r) || invisible(r) {
			return fmt.Errorf("%w: it has characters that do not show", ErrName)
		}
	}
	return nil
}

// invisible reports whether a character that counts as printable does not show:
// fillers, selectors of variants, joiners of graphemes.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Reserved reports whether nobody may choose a canonical name, or an address with it
// before the @, for themselves: others would take its owner for an authority.
func Reserved(name string) bool {
	local, _, _ := strings.Cut(name, "@")
	return slices.Contains(reserved, strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ._-", r) {
			return -1
		}
		return r
	}, local))
}

// reserved are the names of roles (RFC 2142, and beyond), without punctuation.
var reserved = []string{
	"abuse", "account", "accounts", "admin", "administrator", "administrators", "admins", "all", "anonymous", "api",
	"auth", "authentication", "billing", "caddy", "contact", "daemon", "everyone", "ftp", "group", "guest", "help",
	"helpdesk", "hostmaster", "info", "login", "mail", "mailerdaemon", "me", "moderator", "noc", "nobody", "none",
	"noreply", "null", "oauth", "oauth2", "operator", "owner", "postmaster", "registrar", "root", "sales", "security",
	"self", "service", "signin", "signup", "staff", "superuser", "support", "sysadmin", "system", "team", "test",
	"undefined", "unknown", "user", "username", "users", "webmaster", "www",
}
