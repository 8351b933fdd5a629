// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

// Scope is one word of permission as people see it.
type Scope struct {
	// Word is the scope itself.
	Word string
	// Text is what it permits, in the operator's words, or "".
	Text string
	// Optional says that the user may untick it: then it is a box, posted as
	// [FieldScope] while it is ticked. All others are part of the whole.
	Optional bool
	// Ticked is how the box of an optional one stands.
	Ticked bool
	// Granted says that the user allowed it before.
	Granted bool
}

// Label returns the words for the scope.
func (s Scope) Label() string {
	if s.Text == "" {
		return s.Word
	}
	return s.Text
}

// Consent asks whether a client may do what it asks for. It posts [DoAllow]
// with the ticked optional scopes, [DoDeny], or [DoAnother] to go on with another
// account. Its answer leads to the client.
type Consent struct {
	Form
	// Client is the client's name; ClientID its id.
	Client   Untrusted
	ClientID Untrusted
	// ClientURI is the home page that the client states. It is shown, not linked.
	ClientURI Untrusted
	// Owner is who registered the client, or "" where the operator did.
	Owner Untrusted
	// RedirectHost is where the answer goes. Always shown.
	RedirectHost Host
	// Native says that the answer goes to an application on the user's own machine,
	// by loopback or a private scheme: any program there may have begun this.
	Native bool
	// Name and Username are of the account that is asked.
	Name, Username Untrusted
	// Resources are the sites that the permission is for: their hosts, or names.
	// Empty: whatever the issuer protects.
	Resources []Untrusted
	// Scopes are what is asked for.
	Scopes []Scope
	// Offline says that the client keeps its access until the user ends it
	// (refresh tokens).
	Offline bool
	// TermsURI and PolicyURI are pages of the client, linked where they are https
	// URLs, or "".
	TermsURI, PolicyURI string
}

func (Consent) kind() kind { return kind{name: "consent", leads: true} }

// FormPost brings the answer to the client by a form that the browser posts
// (OAuth 2.0 Form Post Response Mode). The script presses its button; without
// scripts the user does.
type FormPost struct {
	// URI is the client's redirect URI, of scheme https or http.
	URI string
	// Client is the client's name.
	Client Untrusted
	// RedirectHost is the host of URI.
	RedirectHost Host
	// Fields are the answer's parameters, in order.
	Fields []Field
}

// Field is a hidden one.
type Field struct{ Name, Value string }

func (FormPost) kind() kind { return kind{name: "formpost", leads: true} }

// Problem says why it does not go on here, and what to do.
type Problem struct {
	// Code is the error's code, such as "invalid_request": it chooses the
	// headline and what to do about it, in words for users. Beside the errors of
	// authz there are "expired", "not_found" and "slow_down".
	Code string
	// Message replaces these words where the page knows better, or "".
	Message Message
	// Summary is the error's own sentence for developers, in English.
	Summary string
	// Client is the application that sent the user here, if it is known, or "".
	Client Untrusted
	// Back is a path at which to begin again, or "".
	Back string
}

func (Problem) kind() kind { return kind{name: "problem"} }
