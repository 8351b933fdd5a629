// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package factor is what people sign in with beside a password: passkeys (W3C
// Web Authentication), one-time codes of an application (TOTP, RFC 6238), and
// recovery codes for the day when both are lost.
//
// It has no handlers and no pages. A caller loads a user's [Set], asks one of its
// methods or [Passkeys] for a proof, and commits the [tokenstore.Change] that was
// passed along, in which the proof is used up: whatever signs somebody in goes into
// the same change. So of many who come with the same code exactly one gets in,
// and the others' commit is [tokenstore.ErrConflict]. Whoever gets that loads the
// set again and asks once more; the answer is then [ErrRefused].
//
// Whether the user still exists and is enabled is the caller's to find out, and
// how often somebody may guess too.
package factor
