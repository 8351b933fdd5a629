// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"errors"
	"testing"
	"time"
)

// FuzzTyped makes sure that of all that people type as codes, only codes count: a
// one-time code of this time that was not used, and a recovery code in its one form.
func FuzzTyped(f *testing.F) {
	seed, now := []byte("12345678901234567890"), time.Unix(1111111109, 0) // RFC 6238 appendix B
	for _, text := range []string{"081804", "081 804", " 081804\n", "０８１８０４", "-81804", "+81804", "0x51804", "abcde-fghjk", "ABCDE FGHJK", "o1l00-00000", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		step, err := matchTOTP(seed, typed, now, 0)
		if err != nil && !errors.Is(err, ErrRefused) || (err == nil) != (step != 0) {
			t.Fatalf("%q: %d, %v", typed, step, err)
		}
		if err == nil {
			if _, err := matchTOTP(seed, typed, now, step); !errors.Is(err, ErrRefused) {
				t.Fatalf("%q counts twice: %v", typed, err)
			}
		}
		code, ok := canonicalRecovery(typed)
		if again, still := canonicalRecovery(code); ok && (!still || again != code) {
			t.Fatalf("%q is %q, and that is %q", typed, code, again)
		}
	})
}
