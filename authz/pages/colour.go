// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// The surfaces that coloured text stands on, as in the stylesheet.
const (
	surfaceLight = "#ffffff"
	surfaceDark  = "#171a21"
)

// readable is the least contrast of text (WCAG 2.2, success criterion 1.4.3).
const readable = 4.5

// colour is red, green and blue, from 0 to 1.
type colour [3]float64

func parseColour(text string) (colour, error) {
	n, err := strconv.ParseUint(text[min(1, len(text)):], 16, 32)
	if len(text) != 7 || text[0] != '#' || err != nil {
		return colour{}, errors.New("write a colour as #rrggbb")
	}
	return colour{float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255}, nil
}

func (c colour) String() string {
	byte := func(v float64) int { return int(math.Round(v * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", byte(c[0]), byte(c[1]), byte(c[2]))
}

// luminance is the relative luminance that WCAG 2.2 defines.
func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is the contrast ratio that WCAG 2.2 defines, from 1 to 21.
func contrast(a, b colour) float64 {
	light, dark := a.luminance(), b.luminance()
	if light < dark {
		light, dark = dark, light
	}
	return (light + 0.05) / (dark + 0.05)
}

// readableOn mixes c with black or white, as little as makes it readable on the surface.
func (c colour) readableOn(surface colour) colour {
	goal := colour{}
	if surface.luminance() < 0.5 {
		goal = colour{1, 1, 1}
	}
	const steps = 50
	for i := range steps {
		part := float64(i) / steps
		var mixed colour
		for j := range c {
			mixed[j] = c[j]*(1-part) + goal[j]*part
		}
		if contrast(mixed, surface) >= readable {
			return mixed
		}
	}
	return goal
}

// on returns white or black, whichever is read better on c.
func (c colour) on() colour {
	white := colour{1, 1, 1}
	if contrast(white, c) >= readable || contrast(white, c) > contrast(colour{}, c) {
		return white
	}
	return colour{}
}

// palette is the part of the stylesheet that the brand decides.
func palette(b Brand) string {
	light := b.accent()
	dark := light
	if b.AccentDark != "" {
		dark, _ = parseColour(b.AccentDark) // validated
	}
	rule := func(accent colour, surface string) string {
		ground, _ := parseColour(surface) // ours
		return fmt.Sprintf(":root{--accent:%s;--on-accent:%s;--link:%s}", accent, accent.on(), accent.readableOn(ground))
	}
	return rule(light, surfaceLight) + "\n@media (prefers-color-scheme:dark){" + rule(dark, surfaceDark) + "}\n"
}
