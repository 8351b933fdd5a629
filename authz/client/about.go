// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what a client says of itself.
const (
	// MaxContacts is how many addresses it may give.
	MaxContacts = 10
	// MaxAbout is the length in bytes of the longest contact, software id or version.
	MaxAbout = 254
)

// About is what a client says of itself, by the names of RFC 7591 §2. It is shown
// to people, and nothing is decided by it.
type About struct {
	// The client's home page, an https URL. Default: none.
	URI string `json:"client_uri,omitempty" cbor:"31,keyasint,omitempty"`

	// A picture for the client, an https URL. It is kept for others to read, and
	// never fetched or shown here. Default: none.
	LogoURI string `json:"logo_uri,omitempty" cbor:"32,keyasint,omitempty"`

	// Where the client says what it does with people's data, an https URL. Default: none.
	PolicyURI string `json:"policy_uri,omitempty" cbor:"33,keyasint,omitempty"`

	// The client's terms of service, an https URL. Default: none.
	TermsURI string `json:"tos_uri,omitempty" cbor:"34,keyasint,omitempty"`

	// How to reach those who answer for the client, such as e-mail addresses; at
	// most 10, of 254 bytes each. Default: none.
	Contacts []string `json:"contacts,omitempty" cbor:"35,keyasint,omitempty"`

	// What names the client's software across all its installations, at most 254
	// bytes. Default: none.
	SoftwareID string `json:"software_id,omitempty" cbor:"36,keyasint,omitempty"`

	// The version of that software, at most 254 bytes. Default: none.
	SoftwareVersion string `json:"software_version,omitempty" cbor:"37,keyasint,omitempty"`

	// Owner is the subject of the user whose client it is; empty: the operator's.
	// It is given by [AddOwned] and stays.
	Owner string `json:"-" cbor:"38,keyasint,omitempty"`

	// Created is when the client was added to the store; the zero time if that is
	// not known.
	Created time.Time `json:"-" cbor:"39,keyasint,omitzero"`
}

// validate reports everything that is wrong with it.
func (a *About) validate() error {
	return errors.Join(
		validatePage("client_uri", a.URI), validatePage("logo_uri", a.LogoURI),
		validatePage("policy_uri", a.PolicyURI), validatePage("tos_uri", a.TermsURI),
		validateEach("contacts", a.Contacts, MaxContacts, ValidateWords),
		named("software_id", ValidateWords(a.SoftwareID)), named("software_version", ValidateWords(a.SoftwareVersion)),
	)
}

// ValidatePage reports what is wrong with uri as the address of a page or picture
// of a client: it is an https URL, so that no script is one.
func ValidatePage(uri string) error {
	u, err := parseURI(uri)
	if err != nil {
		return err
	}
	if u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return errors.New("the address of a page begins with https:// and a host")
	}
	return nil
}

func validatePage(name, uri string) error {
	if uri == "" {
		return nil
	}
	return named(name, ValidatePage(uri))
}

// ValidateWords reports what is wrong with a contact, a software id or a version.
func ValidateWords(text string) error {
	if len(text) > MaxAbout || !utf8.ValidString(text) {
		return fmt.Errorf("UTF-8 text of at most %d bytes", MaxAbout)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return errors.New("printable characters only")
		}
	}
	return nil
}

// named puts the name of what is wrong before an error.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}
