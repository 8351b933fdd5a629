// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package user keeps the accounts of people: who they are, by which names they are
// found, and whether a password is theirs.
//
// An account is known by its subject, which is random and never used again, and is
// found by its user name or e-mail address, which may change. Accounts of this
// server have a password here. Those of a [Source], such as an application that has
// users already, come into the store when they first sign in, and their passwords
// stay where they are.
//
// A [Directory] answers for the configuration that serves at present: what that does
// not name any more, or has disabled, is refused at the next question.
package user
