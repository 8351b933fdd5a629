// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package foreign says who the access tokens of other authorization servers
// stand for: signed ones by the keys of their issuer (RFC 9068), opaque ones by
// asking it (RFC 7662).
//
// A token is judged by the issuer that it names, among those that a guard
// accepts, and by that issuer's keys and nobody else's. A token that names none of
// them goes nowhere: what one server issued is never shown to another.
//
// What was found out about a token is kept under the digest of its text and of
// the settings that it was judged by. It is forgotten when the token ends, when
// the issuer's keys change, and, where the issuer was asked, after
// [Introspection].Cache. That is how late a revocation elsewhere is noticed
// here; a signed token that is not introspected lives until it expires.
package foreign
