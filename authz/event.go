// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz

import (
	"context"
	"time"
)

// EventType names what happened. The set is fixed: types are metric labels and
// the names that operators filter audit logs by.
type EventType string

// Types of events. Those that change something are also kept in the store's
// audit ring, written in the same batch as the change.
const (
	// EventDecision: a guard let a request pass or refused it. Never audited one by one.
	EventDecision EventType = "decision"
	// EventTokenRequest: the token endpoint refused a request. Never audited one by one.
	EventTokenRequest EventType = "token_request"
	// EventRequestCut: a request that had passed was ended before its time,
	// because what it came with was revoked or expired.
	EventRequestCut   EventType = "request_cut"
	EventTokenIssued  EventType = "token_issued"
	EventTokenRevoked EventType = "token_revoked"
	EventGrantRevoked EventType = "grant_revoked"
	EventIntrospected EventType = "token_introspected"

	EventClientAdded         EventType = "client_added"
	EventClientEdited        EventType = "client_edited"
	EventClientRemoved       EventType = "client_removed"
	EventClientSecretRotated EventType = "client_secret_rotated"
	EventClientRevoked       EventType = "client_revoked"
	EventKeyRotated          EventType = "key_rotated"
	EventStoreBackedUp       EventType = "store_backed_up"

	// EventSignedIn: a user proved who they are; EventSignInRefused: somebody failed to.
	EventSignedIn      EventType = "signed_in"
	EventSignInRefused EventType = "sign_in_refused"
	// EventSignedOut: a user ended the session of this browser; EventSessionEnded:
	// they, or an administrator, ended another one.
	EventSignedOut    EventType = "signed_out"
	EventSessionEnded EventType = "session_ended"

	EventConsentGiven  EventType = "consent_given"
	EventConsentDenied EventType = "consent_denied"
	EventConsentEnded  EventType = "consent_ended"
	// EventCodeIssued: the authorization endpoint issued a code.
	EventCodeIssued EventType = "code_issued"
	// EventAuthorizationRefused: the authorization endpoint refused a request. Never audited one by one.
	EventAuthorizationRefused EventType = "authorization_refused"
	// EventGrantReplayed: a code or refresh token that was spent came again from its
	// rightful client, so its grant was revoked.
	EventGrantReplayed EventType = "grant_replayed"

	EventUserAdded       EventType = "user_added"
	EventUserEdited      EventType = "user_edited"
	EventUserDisabled    EventType = "user_disabled"
	EventUserRemoved     EventType = "user_removed"
	EventPasswordChanged EventType = "password_changed"
	// EventResetLinkMade: an administrator made a link with which a user chooses
	// another password.
	EventResetLinkMade EventType = "reset_link_made"
	EventFactorAdded   EventType = "factor_added"
	EventFactorRemoved EventType = "factor_removed"
)

// Outcome is how an event ended.
type Outcome string

// Outcomes of events.
const (
	Allowed Outcome = "allowed"
	Denied  Outcome = "denied"
	Failed  Outcome = "failed" // trouble of ours
)

// Event is something worth counting or keeping. It holds no secret, and nothing
// a client sent that was not checked first: Client is a registered client's id.
type Event struct {
	Type    EventType
	Outcome Outcome
	// Reason is the code of the [Error] when Outcome is not Allowed.
	Reason string
	// Detail says more than Reason, for logs, in one of a few words: why a client's
	// assertion was refused.
	Detail    string
	GrantType string
	Client    string
	Subject   string
	Grant     string
	// Actor is who caused an administrative change: "admin" or a client's id.
	Actor string
	// Took is how long it took, where that was measured.
	Took time.Duration
}

// Recorder takes events. Record must be fast, must not block on input or
// output, and is safe for concurrent use.
type Recorder interface {
	Record(ctx context.Context, e Event)
}

// Discard is a Recorder that drops everything.
var Discard Recorder = discard{}

type discard struct{}

func (discard) Record(context.Context, Event) {}
