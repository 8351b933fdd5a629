// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import "time"

// Listing is what the administrators' lists have: a search box, which posts
// [FieldSearch] with [DoSearch], and more pages.
type Listing struct {
	// Search is the text that was searched for.
	Search string
	// Next is the path of the next page of the list, First of the first; "" where
	// there is none.
	Next, First string
}

// AdminUserRow is a user in a list.
type AdminUserRow struct {
	// Subject is the value of [FieldSubject].
	Subject               string
	Username, Name, Email Untrusted
	// Source is where the account is kept: a name of the configuration.
	Source     string
	Disabled   bool
	MustChange bool
	// Created is when, LastSeen when a session of his was last used, or the zero time.
	Created, LastSeen time.Time
	// View is the path of his page.
	View string
}

// AdminUsers lists the users.
type AdminUsers struct {
	Shell
	Listing
	Users []AdminUserRow
}

func (AdminUsers) kind() kind { return kind{name: "adminusers"} }

// AdminUser shows one user. It posts [DoDisable], [DoEnable], [DoResetLink],
// [DoRemoveFactors], [DoEndAll], [DoDelete] with [FieldUsername] typed in to
// confirm, [DoEnd] with [FieldSession], or [DoRevoke] with [FieldClient].
type AdminUser struct {
	Shell
	User   AdminUserRow
	Groups []Untrusted
	// Local says that his password is kept here, so that it can be reset.
	Local bool
	// Passkeys, TOTP and RecoveryCodes are the further factors that he has.
	Passkeys      int
	TOTP          bool
	RecoveryCodes int
	Applications  []Application
	Sessions      []Session
	// ResetLink is a new one-time link for a new password, shown once, or "".
	// ResetUntil is when it expires.
	ResetLink  string
	ResetUntil time.Time
}

func (AdminUser) kind() kind { return kind{name: "adminuser"} }

// AdminClientRow is a client in a list.
type AdminClientRow struct {
	// ID is the value of [FieldClient].
	ID   string
	Name Untrusted
	// Owner is as in [Consent].
	Owner Untrusted
	// Configured says that it stands in the configuration, where alone it can be changed.
	Configured        bool
	Disabled          bool
	Public            bool
	Created, LastUsed time.Time
	// Edit is the path of the page to change it, or "".
	Edit string
}

// AdminClients lists the clients. It posts [FieldClient] with [DoDisable],
// [DoEnable] or [DoRevoke], which ends all its tokens.
type AdminClients struct {
	Shell
	Listing
	Clients []AdminClientRow
}

func (AdminClients) kind() kind { return kind{name: "adminclients"} }

// AdminGrantRow is what one user allows one client.
type AdminGrantRow struct {
	// Subject and ClientID are the values of [FieldSubject] and [FieldClient].
	Subject, ClientID string
	Username          Untrusted
	Client            Untrusted
	Scopes            []Scope
	Since, LastUsed   time.Time
	// Replayed is as in [Application].
	Replayed time.Time
}

// AdminGrants lists what users allow clients. It posts [FieldSubject] and
// [FieldClient] with [DoRevoke].
type AdminGrants struct {
	Shell
	Listing
	Grants []AdminGrantRow
}

func (AdminGrants) kind() kind { return kind{name: "admingrants"} }

// AdminSessionRow is a session in a list.
type AdminSessionRow struct {
	Session
	// Subject is the value of [FieldSubject].
	Subject  string
	Username Untrusted
}

// AdminSessions lists where users are signed in. It posts [FieldSubject] and
// [FieldSession] with [DoEnd].
type AdminSessions struct {
	Shell
	Listing
	Sessions []AdminSessionRow
}

func (AdminSessions) kind() kind { return kind{name: "adminsessions"} }

// AdminKeyRow is a key.
type AdminKeyRow struct {
	ID string
	// Use is what it is for, State where in its life it is, Algorithm how it
	// signs: words of `caddy oauth2 key list`.
	Use, State, Algorithm string
	Since, Until          time.Time
}

// AdminKeys lists the signing and sealing keys. It posts [DoRotate] with
// [FieldKey] "signing".
type AdminKeys struct {
	Shell
	Keys []AdminKeyRow
	// MayRotate says that there are signing keys.
	MayRotate bool
}

func (AdminKeys) kind() kind { return kind{name: "adminkeys"} }

// AdminEventRow is an entry of the audit ring.
type AdminEventRow struct {
	Time                  time.Time
	Type, Outcome, Reason string
	Actor, Client         Untrusted
	Subject, Username     Untrusted
	Grant                 string
}

// AdminAudit lists what happened, the latest first.
type AdminAudit struct {
	Shell
	Listing
	Events []AdminEventRow
}

func (AdminAudit) kind() kind { return kind{name: "adminaudit"} }
