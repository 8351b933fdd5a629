// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import "github.com/caddy-oauth2/caddy-oauth2/authz"

// Methods is the set of ways in which somebody proved who they are. The values
// may be kept: they are never renumbered.
type Methods uint8

// Ways of proving who one is.
const (
	// ByPassword: of an account here.
	ByPassword Methods = 1 << iota
	// BySource: another source of users took the password for right.
	BySource
	// ByTOTP: a one-time code of an application that shares a seed with us.
	ByTOTP
	// ByRecoveryCode: one of the codes that were printed for emergencies.
	ByRecoveryCode
	// ByPasskey: possession of the key, and a person who touched the authenticator.
	ByPasskey
	// UserVerified comes with ByPasskey: the authenticator has made sure that it is
	// the person whose key it is, by a PIN, a finger or a face.
	UserVerified
)

const (
	known     = ByPassword | BySource
	possessed = ByTOTP | ByRecoveryCode | ByPasskey
)

// Has reports whether all of other are in m.
func (m Methods) Has(other Methods) bool { return m&other == other }

// TwoFactors reports whether m is two factors of different kinds: something known
// and something possessed. A passkey with user verification is both by itself.
func (m Methods) TwoFactors() bool {
	return m&known != 0 && m&possessed != 0 || m.Has(ByPasskey|UserVerified)
}

// Enough reports whether m signs a user in at all who has no second factor: a
// password does, and a passkey with user verification. A code that was read off a
// screen does not.
func (m Methods) Enough() bool { return m&known != 0 || m.Has(ByPasskey|UserVerified) }

// ACR is the authentication context class that m reaches; empty if it does not
// even sign in.
func (m Methods) ACR() string {
	switch {
	case m.TwoFactors():
		return authz.ACRTwoFactors
	case m.Enough():
		return authz.ACROneFactor
	}
	return ""
}

// AMR lists the authentication methods of m (RFC 8176 §2), in one order.
func (m Methods) AMR() []string {
	var amr []string
	for _, one := range []struct {
		method Methods
		values []string
	}{
		{ByPassword, []string{authz.AMRPassword}},
		{BySource, []string{authz.AMRExternalSource}},
		{ByTOTP, []string{authz.AMROneTimeCode}},
		{ByRecoveryCode, []string{authz.AMRRecoveryCode}},
		// Whether the key is in hardware ("hwk") only an attestation would tell, and
		// none is asked for.
		{ByPasskey, []string{authz.AMRProofOfKey, authz.AMRUserPresence}},
	} {
		if m.Has(one.method) {
			amr = append(amr, one.values...)
		}
	}
	if m.TwoFactors() {
		amr = append(amr, authz.AMRManyFactors)
	}
	return amr
}
