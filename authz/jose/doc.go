// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package jose reads signed tokens and keys that somebody else wrote: compact JWS
// (RFC 7515 §7.1) with JSON claims (RFC 7519), and JWK Sets (RFC 7517).
//
// The cryptography is go-jose's. What stands here is what comes before it:
// lengths are bounded before anything is decoded, and a text that two parsers
// could read differently is refused. So base64url is canonical (RFC 4648 §3.5),
// JSON is UTF-8 without duplicate members, names are compared exactly, and
// extensions that would change what is signed are refused. A header says which
// key a signature claims to be made with, and never brings the key itself
// (`jwk`, `jku`, `x5c`, `x5u` are passed over).
//
// The package says whether a signature is good, never what a token is worth: typ,
// issuer, audience and times are its callers' to check (RFC 8725).
package jose
