// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import "time"

// DeveloperClient is a client in a list.
type DeveloperClient struct {
	ID   string
	Name Untrusted
	// Public says that it has no secret.
	Public   bool
	Disabled bool
	// Created is when it was registered; LastUsed when it last obtained or used a
	// token, or the zero time.
	Created, LastUsed time.Time
	// Edit is the path of its page.
	Edit string
}

// DeveloperList lists the user's own clients.
type DeveloperList struct {
	Shell
	Clients []DeveloperClient
	// MayRegister says that he may have another.
	MayRegister bool
}

func (DeveloperList) kind() kind { return kind{name: "developerlist"} }

// Choice is a box or an entry of a list.
type Choice struct {
	// Value is what is posted, Text what is shown (default: Value).
	Value, Text string
	Chosen      bool
}

// Label returns the words for the choice.
func (c Choice) Label() string {
	if c.Text == "" {
		return c.Value
	}
	return c.Text
}

// DeveloperEdit registers or changes a client, with the fields of RFC 7591. It
// posts them with [DoSave]; [DoSecretRotate]; or [DoDelete], which leads to
// [DeveloperDelete]. What it shows in fields is exactly what was posted or kept.
type DeveloperEdit struct {
	Shell
	// New says that the client does not exist yet.
	New bool
	// ID is its id, "" for a new one.
	ID string
	// HasSecret says that it has a secret that can be made anew.
	HasSecret bool

	Name      string
	URI       string
	LogoURI   string
	PolicyURI string
	TermsURI  string
	// RedirectURIs and Contacts have one entry a line.
	RedirectURIs string
	Contacts     string
	// GrantTypes, AuthMethods and Scopes are what may be chosen: several grant types
	// and scopes, one method.
	GrantTypes      []Choice
	AuthMethods     []Choice
	Scopes          []Choice
	JWKSURI         string
	SoftwareID      string
	SoftwareVersion string
}

func (DeveloperEdit) kind() kind { return kind{name: "developeredit"} }

// DeveloperSecret shows a client's new secret, once, and how to use it.
type DeveloperSecret struct {
	Shell
	ID   string
	Name Untrusted
	// Secret is "" for a client that has none.
	Secret string
	// Issuer, AuthorizationEndpoint and TokenEndpoint are the server's URLs.
	Issuer, AuthorizationEndpoint, TokenEndpoint string
	// RedirectURI is the client's first one, or "".
	RedirectURI string
	// Scope are the client's default scopes, separated by spaces.
	Scope string
	// AuthMethod is how the client proves who it is.
	AuthMethod string
	// Done is the path to go on to.
	Done string
}

func (DeveloperSecret) kind() kind { return kind{name: "developersecret"} }

// DeveloperDelete asks whether to delete a client. It posts [DoDelete].
type DeveloperDelete struct {
	Shell
	ID   string
	Name Untrusted
	// Cancel is the path to go to instead.
	Cancel string
}

func (DeveloperDelete) kind() kind { return kind{name: "developerdelete"} }
