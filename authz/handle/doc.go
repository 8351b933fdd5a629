// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package handle keeps what a person has begun but not finished in that person's
// own browser: an authorization request before the sign-in, a form that is being
// filled in. It travels as a handle, a text that is sealed, expires, says what it is
// for, and opens only in the browser for which it was made. So strangers cost the
// store nothing, and nobody finishes what somebody else began.
package handle
