// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz

import (
	"net/http"
	"strconv"
	"time"
)

// Error is the one protocol error: what a client is told (Status, Code,
// Description) and, apart from it, why (the cause, which is for logs only).
//
// The package's Err… values are templates. Derive from them with
// [Error.Describe] and [Error.Because]; errors.Is(err, authz.ErrInvalidGrant)
// holds for everything derived from that template, whatever its description.
// Errors are immutable and safe for concurrent use.
type Error struct {
	// Status is the HTTP status of the answer.
	Status int
	// Code is the registered error code, such as "invalid_client". It may go
	// into answers and metric labels: the set of codes is fixed.
	Code string
	// Description is a sentence for the client's developer. It never holds
	// anything a client sent, and only the characters that RFC 6749 §5.2 allows.
	Description string
	// Scope is, with insufficient_scope, the requirement that would have
	// sufficed, as RFC 6750 §3 wants it: space-separated.
	Scope string
	// RetryAfter is, with trouble of ours and after too many attempts, how long a
	// client should wait.
	RetryAfter time.Duration

	cause error
}

// Templates of all errors that the endpoints and the guard answer with.
var (
	// ErrInvalidRequest: a parameter is missing, repeated or malformed (RFC 6749 §5.2, RFC 6750 §3.1).
	ErrInvalidRequest = &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: "The request is malformed."}
	// ErrInvalidClient: client authentication failed (RFC 6749 §5.2). One answer for every reason.
	ErrInvalidClient = &Error{Status: http.StatusUnauthorized, Code: "invalid_client", Description: "Client authentication failed."}
	// ErrInvalidGrant: the code, token or credential presented as a grant is not valid (RFC 6749 §5.2).
	ErrInvalidGrant = &Error{Status: http.StatusBadRequest, Code: "invalid_grant", Description: "The grant is invalid, expired or revoked."}
	// ErrUnauthorizedClient: the client may not use this grant type (RFC 6749 §5.2).
	ErrUnauthorizedClient = &Error{Status: http.StatusBadRequest, Code: "unauthorized_client", Description: "The client may not use this grant type."}
	// ErrUnsupportedGrantType: the server does not know the grant type (RFC 6749 §5.2).
	ErrUnsupportedGrantType = &Error{Status: http.StatusBadRequest, Code: "unsupported_grant_type", Description: "The grant type is not supported."}
	// ErrInvalidScope: a scope asked for is unknown or not allowed (RFC 6749 §5.2).
	ErrInvalidScope = &Error{Status: http.StatusBadRequest, Code: "invalid_scope", Description: "A requested scope is unknown or not allowed for this client."}
	// ErrInvalidTarget: the resource asked for is unknown or malformed (RFC 8707 §2).
	ErrInvalidTarget = &Error{Status: http.StatusBadRequest, Code: "invalid_target", Description: "The requested resource is unknown or malformed."}
	// ErrUnsupportedTokenType: tokens of this type cannot be revoked (RFC 7009 §2.2.1).
	ErrUnsupportedTokenType = &Error{Status: http.StatusBadRequest, Code: "unsupported_token_type", Description: "Tokens of this type cannot be revoked here."}
	// ErrUnsupportedResponseType: the authorization endpoint does not know the response type (RFC 6749 §4.1.2.1).
	ErrUnsupportedResponseType = &Error{Status: http.StatusBadRequest, Code: "unsupported_response_type", Description: "The response type is not supported."}
	// ErrAccessDenied: the user said no (RFC 6749 §4.1.2.1).
	ErrAccessDenied = &Error{Status: http.StatusForbidden, Code: "access_denied", Description: "The user denied the request."}
	// ErrLoginRequired: with prompt=none, the user would have to sign in (OpenID Connect Core §3.1.2.6).
	ErrLoginRequired = &Error{Status: http.StatusBadRequest, Code: "login_required", Description: "The user must sign in first."}
	// ErrInteractionRequired: with prompt=none, the user would have to prove more (OpenID Connect Core §3.1.2.6).
	ErrInteractionRequired = &Error{Status: http.StatusBadRequest, Code: "interaction_required", Description: "The user must do something first."}
	// ErrConsentRequired: with prompt=none, the user would have to be asked (OpenID Connect Core §3.1.2.6).
	ErrConsentRequired = &Error{Status: http.StatusBadRequest, Code: "consent_required", Description: "The user must be asked for consent first."}
	// ErrUnmetAuthentication: no sign-in here is of a class that was asked for (RFC 9470 §5).
	ErrUnmetAuthentication = &Error{Status: http.StatusBadRequest, Code: "unmet_authentication_requirements", Description: "The authentication context asked for is not known here."}
	// ErrInvalidRequestURI: there is no such pushed request of the client, or not any more (RFC 9101 §7).
	ErrInvalidRequestURI = &Error{Status: http.StatusBadRequest, Code: "invalid_request_uri", Description: "The pushed authorization request is unknown, expired or used."}
	// ErrRequestNotSupported: request objects are not read here (OpenID Connect Core §3.1.2.6).
	ErrRequestNotSupported = &Error{Status: http.StatusBadRequest, Code: "request_not_supported", Description: "Request objects are not supported; push the request instead."}
	// ErrInvalidToken: the access token is malformed, expired, revoked or not for this resource (RFC 6750 §3.1).
	ErrInvalidToken = &Error{Status: http.StatusUnauthorized, Code: "invalid_token", Description: "The access token is invalid, expired or revoked."}
	// ErrInsufficientScope: the access token is valid but does not reach this far (RFC 6750 §3.1).
	ErrInsufficientScope = &Error{Status: http.StatusForbidden, Code: "insufficient_scope", Description: "The request requires higher privileges than the access token provides."}
	// ErrInsufficientUserAuthentication: the user signed in too long ago, or not
	// strongly enough, for what is asked (RFC 9470 §3).
	ErrInsufficientUserAuthentication = &Error{Status: http.StatusUnauthorized, Code: "insufficient_user_authentication", Description: "The request requires a more recent or a stronger sign-in of the user."}
	// ErrCrossOrigin: the credential is a cookie, and nothing shows that the user's
	// own page sent the request rather than another site's.
	ErrCrossOrigin = &Error{Status: http.StatusForbidden, Code: "cross_origin", Description: "A cookie does not authorize a request that another site may have caused."}
	// ErrCredentialRequired: no credential at all. The challenge carries no error code (RFC 6750 §3.1);
	// Code is for metrics and logs.
	ErrCredentialRequired = &Error{Status: http.StatusUnauthorized, Code: "credential_required", Description: "An access token is required."}
	// ErrDenied: no row of the guard's table lets this request pass, whoever asks.
	ErrDenied = &Error{Status: http.StatusForbidden, Code: "denied", Description: "This resource is not available."}
	// ErrAmbiguousRequest: two parsers could read this request differently, so it is not guessed.
	ErrAmbiguousRequest = &Error{Status: http.StatusBadRequest, Code: "ambiguous_request", Description: "The request target is ambiguous."}
	// ErrMethodNotAllowed: the method is not one of this endpoint, or one that no guard passes.
	ErrMethodNotAllowed = &Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Description: "The method is not allowed here."}
	// ErrTooEarly: the request came as TLS early data and could be replayed (RFC 8470 §5.2).
	ErrTooEarly = &Error{Status: http.StatusTooEarly, Code: "too_early", Description: "Repeat the request after the TLS handshake."}
	// ErrSlowDown: too many tries have failed, so the next one has to wait.
	ErrSlowDown = &Error{Status: http.StatusTooManyRequests, Code: "slow_down", Description: "Too many attempts. Try again later."}
	// ErrTooLarge: the body is larger than the endpoint reads.
	ErrTooLarge = &Error{Status: http.StatusRequestEntityTooLarge, Code: "request_too_large", Description: "The request body is too large."}
	// ErrUnsupportedMediaType: the body is not a form (RFC 6749 §4.4.2, appendix B).
	ErrUnsupportedMediaType = &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Description: "Send application/x-www-form-urlencoded."}
	// ErrTemporarilyUnavailable: trouble of ours (store, disk, start-up). Nothing is decided, nothing is open.
	ErrTemporarilyUnavailable = &Error{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "The server cannot answer at the moment.", RetryAfter: 2 * time.Second}
	// ErrServer: a fault of ours that waiting does not mend.
	ErrServer = &Error{Status: http.StatusInternalServerError, Code: "server_error", Description: "The server met an unexpected condition."}
)

// Errors lists every template, for documentation pages and metrics.
func Errors() []*Error {
	return []*Error{
		ErrInvalidRequest, ErrInvalidClient, ErrInvalidGrant, ErrUnauthorizedClient, ErrUnsupportedGrantType,
		ErrInvalidScope, ErrInvalidTarget, ErrUnsupportedTokenType, ErrUnsupportedResponseType, ErrAccessDenied, ErrLoginRequired,
		ErrInteractionRequired, ErrConsentRequired, ErrUnmetAuthentication, ErrInvalidRequestURI, ErrRequestNotSupported, ErrInvalidToken, ErrInsufficientScope,
		ErrInsufficientUserAuthentication, ErrCrossOrigin, ErrCredentialRequired, ErrDenied, ErrAmbiguousRequest, ErrMethodNotAllowed, ErrTooEarly, ErrSlowDown, ErrTooLarge,
		ErrUnsupportedMediaType, ErrTemporarilyUnavailable, ErrServer,
	}
}

// Error returns code and description, then the cause if there is one. It is
// for logs: an answer is made from the fields, never from this text.
func (e *Error) Error() string {
	text := e.Code + ": " + e.Description
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the template that e derives from.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Describe returns a copy of e with another public description.
func (e *Error) Describe(description string) *Error {
	c := *e
	c.Description = description
	return &c
}

// Because returns a copy of e with a private cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// After returns a copy of e that may be tried again after d.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// RetrySeconds is RetryAfter as the header of that name has it, in whole seconds (RFC
// 9110 §10.2.3); empty without one.
func (e *Error) RetrySeconds() string {
	if e.RetryAfter <= 0 {
		return ""
	}
	return strconv.Itoa(int((e.RetryAfter + time.Second - 1) / time.Second))
}

// Needing returns a copy of e that names the scope that would have sufficed.
func (e *Error) Needing(scope string) *Error {
	c := *e
	c.Scope = scope
	return &c
}
