// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Refusal is why an assertion authenticates nobody, for logs: who presented it gets
// one answer for all of them.
type Refusal string

// The refusals, in the order in which they are looked for.
const (
	// RefusedForm: what was sent is no assertion that is read here.
	RefusedForm Refusal = "assertion_malformed"
	// RefusedClient: there is no such client, or it authenticates in another way or by
	// another algorithm.
	RefusedClient Refusal = "assertion_client"
	// RefusedSignature: it is not signed with a key of the client's, or its keys cannot
	// be fetched.
	RefusedSignature Refusal = "assertion_signature"
	// RefusedIssuer: `iss` is not the client (RFC 7523 §3, item 1).
	RefusedIssuer Refusal = "assertion_issuer"
	// RefusedAudience: it is for somebody else, or for others too (item 3).
	RefusedAudience Refusal = "assertion_audience"
	// RefusedID: `jti` is missing or too long (item 7).
	RefusedID Refusal = "assertion_id"
	// RefusedExpiry: `exp` is missing, past or too far ahead (item 4).
	RefusedExpiry Refusal = "assertion_expiry"
	// RefusedTime: `nbf` or `iat` is ahead, or `iat` too long before `exp` (items 5 and 6).
	RefusedTime Refusal = "assertion_time"
	// RefusedReplay: it has authenticated a request already (item 7).
	RefusedReplay Refusal = "assertion_replayed"
)

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// err is the refusal as the client is told of it.
func (r Refusal) err() error { return authz.ErrInvalidClient.Because(r) }

// RefusalIn is the refusal that err was made of, empty if it is another error.
func RefusalIn(err error) (r Refusal) {
	_ = errors.As(err, &r)
	return r
}
