// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Limits of an account, lengths in bytes.
const (
	// MaxUserName is the length of the longest user name or e-mail address, in its
	// canonical form.
	MaxUserName = 254
	// MaxFullName is the length of the longest name for people to read.
	MaxFullName = 200
	// MaxGroups is how many groups a user is in at most, MaxGroup the length of the
	// longest name of one.
	MaxGroups, MaxGroup = 64, 128
	// MaxClaims is how many claims a user has at most, MaxClaimName the length of the
	// longest name of one, MaxClaimText that of the longest text, and MaxClaimList how
	// many texts a list has.
	MaxClaims, MaxClaimName, MaxClaimText, MaxClaimList = 32, 64, 512, 64
	// MaxSourceID is the length of the longest id of an account at a [Source].
	MaxSourceID = 255
)

// ClaimGroups is the claim that lists the groups of a user.
const ClaimGroups = "groups"

// User is the account of a person, as the store has it under the subject. One that
// comes from a [Directory] is shared and read-only. The numbers are on disk: they are
// never given to another field.
type User struct {
	// Subject is the account's id: random, never a name, and never used again.
	Subject string `cbor:"1,keyasint"`
	// Source is the name of the [Source] that knows the password; empty for this server.
	Source string `cbor:"2,keyasint,omitempty"`
	// SourceID is the id of the account there.
	SourceID string `cbor:"3,keyasint,omitempty"`
	// Username is what the user is called, in its [Canonical] form. It is never empty.
	Username string `cbor:"4,keyasint"`
	// Email is the e-mail address, in its canonical form; empty when there is none.
	// Nobody has checked that it is the user's.
	Email string `cbor:"5,keyasint,omitempty"`
	// Name is what people read; empty when there is none: see [User.DisplayName].
	Name string `cbor:"6,keyasint,omitempty"`
	// Password is the hash of the password; see [ParseHash]. Empty: no password is
	// the right one.
	Password Hash `cbor:"7,keyasint,omitempty"`
	// Disabled accounts are as good as absent, and keep their names.
	Disabled bool `cbor:"8,keyasint,omitempty"`
	// MustChange: whoever signs in as the user, by whatever, chooses another password
	// first. It means nothing to a user who has none.
	MustChange bool `cbor:"9,keyasint,omitempty"`
	// Groups are names of groups that the user is in, sorted.
	Groups []string `cbor:"10,keyasint,omitempty"`
	// Claims are further facts, set by administrators: texts, whole numbers (int64),
	// other numbers (float64), booleans, and lists of texts ([]any).
	Claims map[string]any `cbor:"11,keyasint,omitempty"`
	// Created is when the account came to be, PasswordAt when its password was set,
	// SourceAt when its source last said yes.
	Created    time.Time `cbor:"12,keyasint"`
	PasswordAt time.Time `cbor:"13,keyasint,omitzero"`
	SourceAt   time.Time `cbor:"14,keyasint,omitzero"`

	// facts are Claims and the groups, for guards; see Share.
	facts map[string]any
}

// DisplayName is what to call the user before people.
func (u *User) DisplayName() string {
	if u.Name != "" {
		return u.Name
	}
	return u.Username
}

// Local reports whether the password is here, and not at a [Source].
func (u *User) Local() bool { return u.Source == "" }

// Share implements [tokenstore.Alike]: what guards need of a user is put together
// once for each time that the record is read, and not at each request. The groups are
// there also when they are none, so that no token can say otherwise.
func (u *User) Share() {
	u.facts = make(map[string]any, len(u.Claims)+1)
	maps.Copy(u.facts, u.Claims)
	u.facts[ClaimGroups] = u.Groups
}

// Called reports whether a text is the user name or e-mail address of the user, in
// whatever form.
func (u *User) Called(text string) bool {
	canonical, err := Canonical(text)
	return err == nil && slices.Contains(u.names(), canonical)
}

// names are the index entries of the user.
func (u *User) names() []string {
	if u.Email == "" || u.Email == u.Username {
		return []string{u.Username}
	}
	return []string{u.Username, u.Email}
}

// normalize brings what people wrote into the form that is kept.
func (u *User) normalize() (err error) {
	if u.Email != "" {
		if u.Email, err = CanonicalEmail(u.Email); err != nil {
			return err
		}
	}
	if u.Username == "" {
		u.Username = u.Email
	}
	if u.Username, err = Canonical(u.Username); err != nil {
		return err
	}
	u.Name = strings.TrimSpace(u.Name)
	u.Groups = slices.Compact(slices.Sorted(slices.Values(u.Groups)))
	u.Claims = plainClaims(u.Claims)
	return u.validate()
}

// validate says what is wrong with an account whose names are canonical.
func (u *User) validate() error {
	return errors.Join(ValidateName(u.Name), ValidateGroups(u.Groups), ValidateClaims(u.Claims))
}

// ValidateName reports what is wrong with a name for people to read.
func ValidateName(name string) error {
	if len(name) > MaxFullName {
		return fmt.Errorf("a name has at most %d bytes", MaxFullName)
	}
	return printable("a name", name)
}

// ValidateGroups reports what is wrong with names of groups.
func ValidateGroups(groups []string) error {
	if len(groups) > MaxGroups {
		return fmt.Errorf("a user is in at most %d groups", MaxGroups)
	}
	for _, g := range groups {
		if g == "" || len(g) > MaxGroup || strings.TrimSpace(g) != g {
			return fmt.Errorf("the name of a group has 1 to %d bytes, and no space around it", MaxGroup)
		}
		if err := printable("the name of a group", g); err != nil {
			return err
		}
	}
	return nil
}

// ValidateClaims reports what is wrong with the further facts about a user. Those that
// tokens, or this package, state themselves are none of them.
func ValidateClaims(claims map[string]any) error {
	if len(claims) > MaxClaims {
		return fmt.Errorf("a user has at most %d claims", MaxClaims)
	}
	for name, value := range claims {
		if name == "" || len(name) > MaxClaimName {
			return fmt.Errorf("the name of a claim has 1 to %d bytes", MaxClaimName)
		}
		if err := printable("the name of a claim", name); err != nil {
			return err
		}
		if token.IsReserved(name) || slices.Contains(ownClaims, name) {
			return fmt.Errorf("claim %s is stated by the server itself", name)
		}
		if err := validateClaim(value); err != nil {
			return fmt.Errorf("claim %s: %w", name, err)
		}
	}
	return nil
}

// ownClaims are stated by the account's other fields.
var ownClaims = []string{ClaimGroups, "preferred_username", "username", "email", "email_verified", "name"}

func validateClaim(value any) error {
	switch value := value.(type) {
	case bool, int64, float64:
		return nil
	case string:
		if len(value) > MaxClaimText {
			return fmt.Errorf("a text has at most %d bytes", MaxClaimText)
		}
		return printable("a text", value)
	case []any:
		if len(value) > MaxClaimList {
			return fmt.Errorf("a list has at most %d texts", MaxClaimList)
		}
		for _, item := range value {
			if _, ok := item.(string); !ok {
				return errors.New("a list has texts only")
			}
			if err := validateClaim(item); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("it is a text, a number, true, false, or a list of texts")
}

// plainClaims returns claims as they are kept: whole numbers as such, for JSON knows
// only one kind of number. A claim that is null is left out.
func plainClaims(claims map[string]any) map[string]any {
	const maxExact = 1 << 53 // from here on float64 has no room for every whole number
	kept := make(map[string]any, len(claims))
	for name, value := range claims {
		switch v := value.(type) {
		case nil:
			continue
		case int:
			value = int64(v)
		case uint64: // as CBOR decodes what is not negative
			if v < maxExact {
				value = int64(v)
			}
		case float64:
			if v == float64(int64(v)) && v < maxExact && v > -maxExact {
				value = int64(v)
			}
		case []string:
			list := make([]any, len(v))
			for i, text := range v {
				list[i] = text
			}
			value = list
		}
		kept[name] = value
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// printable reports whether people see all of a text: characters that do not show, or
// turn the direction of writing, could make it look like another.
func printable(what, text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s is UTF-8 text", what)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || invisible(r) }) {
		return fmt.Errorf("%s has printable characters only", what)
	}
	return nil
}

// Interface guards
var _ tokenstore.Alike = (*User)(nil)
