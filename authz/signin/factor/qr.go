// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quietZone is the white margin that readers need around a code, in modules (ISO
// 18004 §6.3.8).
const quietZone = 4

// QR is a QR code to be drawn as SVG: a square of Size units, and the dark parts
// of it as the data of a path. Both are made of digits and letters only, and need
// neither an image nor a style, which a strict content security policy forbids.
type QR struct {
	Size int
	Path string
}

// NewQR returns the QR code of text.
func NewQR(text string) (QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return QR{}, fmt.Errorf("factor: %w", err)
	}
	bounds := code.Bounds()
	dark := func(x, y int) bool {
		return x < bounds.Max.X && color.GrayModel.Convert(code.At(x, y)).(color.Gray).Y < 128
	}
	var path strings.Builder
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			start := x
			for dark(x, y) {
				x++
			}
			if width := x - start; width > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", start+quietZone, y+quietZone, width, width)
			}
		}
	}
	return QR{Size: bounds.Dx() + 2*quietZone, Path: path.String()}, nil
}
