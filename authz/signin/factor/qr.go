// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"fmt"
	"image"

	"github.com/boombuler/barcode/qr"
)

// QRCode returns the QR code of text as a picture with one pixel for each module,
// and without the margin that readers need around it.
func QRCode(text string) (image.Image, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("factor: %w", err)
	}
	return code, nil
}
