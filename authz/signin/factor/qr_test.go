// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor_test

import (
	"fmt"
	"image/color"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
)

// Ensure that the path draws the code and a margin, of the longest address too.
func TestQR(t *testing.T) {
	for _, text := range []string{"otpauth://totp/a?secret=AAAA", "otpauth://totp/" + strings.Repeat("x", 600)} {
		drawn, err := factor.NewQR(text)
		if err != nil {
			t.Fatal(err)
		}
		want, err := qr.Encode(text, qr.M, qr.Auto)
		if err != nil {
			t.Fatal(err)
		}
		dark := map[[2]int]bool{}
		for run := range strings.SplitSeq(strings.TrimSuffix(drawn.Path, "z"), "z") {
			var x, y, width, back int
			if n, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &width, &back); n != 4 || width != back {
				t.Fatalf("%q: %v", run, err)
			}
			for i := range width {
				dark[[2]int{x + i, y}] = true
			}
		}
		for x := range drawn.Size {
			for y := range drawn.Size {
				inside := x >= 4 && y >= 4 && x < drawn.Size-4 && y < drawn.Size-4
				if dark[[2]int{x, y}] != (inside && want.At(x-4, y-4) == color.Black) {
					t.Fatalf("%d, %d of %d: %v", x, y, drawn.Size, dark[[2]int{x, y}])
				}
			}
		}
	}
	if _, err := factor.NewQR(strings.Repeat("x", 10_000)); err == nil {
		t.Error("a text that no code can hold")
	}
}
