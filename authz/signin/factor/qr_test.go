// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"image/color"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
)

// Ensure that the picture has a pixel for each module, and no margin, for the
// longest address too.
func TestQRCode(t *testing.T) {
	for _, text := range []string{"otpauth://totp/a?secret=AAAA", "otpauth://totp/" + strings.Repeat("x", 600)} {
		picture, err := factor.QRCode(text)
		if err != nil {
			t.Fatal(err)
		}
		size := picture.Bounds().Dx()
		if size != picture.Bounds().Dy() || size < 21 || size%4 != 1 { // ISO 18004 §5.3.1: 17 + 4 times the version
			t.Errorf("%v", picture.Bounds())
		}
		for i, want := range "11111110" { // the finder pattern and its border
			if want == '1' != (picture.At(i, 0) == color.Black) {
				t.Errorf("%d, 0 is %v", i, picture.At(i, 0))
			}
		}
	}
	if _, err := factor.QRCode(strings.Repeat("x", 10_000)); err == nil {
		t.Error("a text that no code can hold")
	}
}
