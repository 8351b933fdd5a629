// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package token mints and verifies tokens.
//
// A token's text says what kind it is and whether it was typed correctly; see
// [New] and [Check]. Everything else is in a [Record], which the store keeps
// under the digest of the text, never under the text itself. Tokens of one
// authorization share a [Grant], whose record is the anchor that ends them all.
//
// How an access token looks is the business of a [Format]: an [Opaque] one means
// nothing without the store, a [JWT] carries the record itself. A [Minter] puts new
// tokens into a change, a [Verifier] says who a presented one stands for.
package token
