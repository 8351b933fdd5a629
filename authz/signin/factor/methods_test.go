// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"fmt"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
)

// Ensure that two factors are two of different kinds, and that no second factor
// signs in by itself.
func TestMethods(t *testing.T) {
	for _, c := range []struct {
		methods  factor.Methods
		acr, amr string
	}{
		{0, "", "[]"},
		{factor.ByPassword, "1", "[pwd]"},
		{factor.BySource, "1", "[external]"},
		{factor.ByPassword | factor.BySource, "1", "[pwd external]"},
		{factor.ByTOTP, "", "[otp]"},
		{factor.ByRecoveryCode, "", "[recovery]"},
		{factor.ByTOTP | factor.ByRecoveryCode, "", "[otp recovery]"},
		{factor.ByPasskey, "", "[pop user]"},
		{factor.ByPasskey | factor.ByTOTP, "", "[otp pop user]"},
		{factor.UserVerified, "", "[]"},
		{factor.UserVerified | factor.ByPassword, "1", "[pwd]"},
		{factor.ByPasskey | factor.UserVerified, "2", "[pop user mfa]"},
		{factor.ByPassword | factor.ByTOTP, "2", "[pwd otp mfa]"},
		{factor.ByPassword | factor.ByRecoveryCode, "2", "[pwd recovery mfa]"},
		{factor.BySource | factor.ByPasskey, "2", "[external pop user mfa]"},
	} {
		if acr, amr := c.methods.ACR(), fmt.Sprint(c.methods.AMR()); acr != c.acr || amr != c.amr {
			t.Errorf("%06b: %q %s, want %q %s", c.methods, acr, amr, c.acr, c.amr)
		}
	}
}
