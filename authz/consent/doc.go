// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package consent remembers what users allow clients.
//
// What a user allows a client is one record, which is widened when the user says
// yes to more. It says what is allowed by site: yes to one scope at one site and to
// another at a second one is no yes to the first at the second. Beside it stands an
// anchor, on which everything depends that the client gets on the strength of it. The
// anchor stays the same when the record is widened. It ends with the consent, and when
// the user takes something back.
package consent
