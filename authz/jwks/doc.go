// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package jwks keeps the public keys of others: of foreign authorization
// servers, and of clients that sign assertions.
//
// A set is fetched when its first token comes, never before, and renewed in the
// background while tokens come; after a longer rest the next token waits. A token that names an unknown key may be the
// first after a rotation, or made up by anybody; so it starts a fetch, but no
// more than one a minute for each source. What was fetched is good until it is
// [MaxAge] old, whatever happens to the place it came from. Many tokens that
// wait for one set wait for one fetch.
//
// Keys belong to one source: a key of one issuer, whatever it is called, says
// nothing about another issuer's token.
package jwks
