// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package account serves the pages of people who are signed in: what they allow
// applications, where they are signed in and by what means; the clients that they
// have registered; and, for administrators, all users, clients, consents,
// sessions, keys and what happened.
//
// GET changes nothing. Every POST comes from a page of ours (Sec-Fetch-Site or
// Origin), with a handle that was made for the same browser, user and session, and
// is answered by a redirect, unless it shows a secret, which is shown once. What is
// not for the user who asks is not there: it gets the answer of what does not exist.
package account
