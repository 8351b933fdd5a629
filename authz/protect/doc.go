// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package protect is the guard: it stands in front of a service and decides
// for every request whether it may pass, and what the service learns of its
// caller.
//
// A request flows through six steps, in this order:
//
//	clean       identity headers that the client sent are removed (clean.go)
//	row         method and path choose one row of the table (path.go, table.go)
//	credential  what the request carries to prove itself (credential.go, sources.go, session.go)
//	principal   who that stands for, asked of an [Authenticator]
//	decision    issuer, client, expiry, audience, scopes (decide.go), conditions (condition.go)
//	upstream    headers that tell the service who calls (upstream.go, fixed.go)
//
// Refusals (4xx) are answered here with the challenge of RFC 6750 §3; trouble
// (5xx) is returned, and nothing passes.
//
// A request that has passed with a credential is followed: when it lasts, it is
// judged again and again, and cut when it would not pass any more (watch.go).
//
// On the way of a request that passes there is no lock held across a call, no
// goroutine, no log line. The body is read only where tokens are taken from forms
// (form.go). The ResponseWriter is wrapped only where a request could not be cut
// otherwise, as in HTTP/3 (sever.go), where answers are shared (cors.go), and where a
// service may not set cookies of ours (owncookie.go).
package protect
