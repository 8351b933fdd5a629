// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package signin knows who is signed in in which browser, and has the pages at
// which people sign in and out and mind their passwords.
//
// A browser has one cookie, a random secret. The store knows, by its digest, the
// sessions of up to [MaxAccounts] users in it, one of which is active. What a
// session is, is in the store alone: it ends there, and then no cookie, code or
// site's session that came from it is worth anything. Whenever somebody signs in
// or out, or proves more about themselves, the browser gets another cookie and the
// old one is dead in the same commit.
//
// Between a password and the second factor there is no session: that state travels
// through the page as a handle (package handle), which opens in that browser alone.
package signin
