// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package fetch makes every outgoing request: key sets and metadata of other
// authorization servers, introspection, and documents that clients name.
//
// What an address is worth depends on who named it ([Trust]). A URL that a
// stranger supplied could point into the network that we stand in, so its
// addresses are checked at the moment of connecting, after the name has been
// resolved: what was checked is what is connected to, and a name that resolves
// differently a second time gains nothing. A URL that the operator named skips
// that check, and no other.
//
// For both: https (with the exceptions of [Operator] and [OperatorPlain]), no
// redirects, no cookies, no proxy from the environment, [MaxTime] from the
// first step to the last byte, at most [MaxBody] bytes however they are
// compressed, and few at a time for each host.
package fetch
