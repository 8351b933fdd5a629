// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import "context"

// Person is what there is to know of a user at present, beside what a token states.
type Person struct {
	// Username is what the user is called.
	Username string
	// Claims are further facts, such as groups. They are shared and read-only.
	Claims map[string]any
}

// People knows the users that tokens are for. It is asked at every request with a
// user's token, and answers from memory as a rule.
type People interface {
	// Person returns the user of a subject. The error is [authz.ErrInvalidToken] when
	// there is none who may act at present, and [authz.ErrTemporarilyUnavailable] when
	// that cannot be told.
	Person(ctx context.Context, subject string) (Person, error)
}
