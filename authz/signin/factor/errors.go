// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"errors"
	"fmt"
)

var (
	// ErrRefused: nothing was proved. A wrong code, one that was used before, a
	// response for another site or an expired ceremony: people are told one thing.
	ErrRefused = errors.New("factor: refused")
	// ErrCloned: the passkey's counter went back, so two devices may have the
	// key. It is an [ErrRefused] too.
	ErrCloned = fmt.Errorf("%w: the counter of a passkey went back", ErrRefused)
	// ErrTooMany: the user has [MaxPasskeys] already.
	ErrTooMany = fmt.Errorf("factor: a user has at most %d passkeys", MaxPasskeys)
	// ErrNotFound: the user has no such factor.
	ErrNotFound = errors.New("factor: there is no such factor")
	// ErrNoPasskeys: browsers know no passkeys for this issuer.
	ErrNoPasskeys = errors.New("factor: passkeys need an issuer with a domain name, https or localhost")
)

// refused is [ErrRefused] with a reason for logs. The reason holds nothing that
// came with the request.
func refused(reason string) error { return fmt.Errorf("%w: %s", ErrRefused, reason) }
