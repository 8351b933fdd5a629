// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

const (
	// DefaultName is what the pages are called where no brand names them.
	DefaultName = "Sign-in"
	// DefaultAccent is the colour of buttons where no brand has one.
	DefaultAccent = "#2456c4"
	// MaxLogo is the most bytes of a logo.
	MaxLogo = 256 << 10
	// MaxName is the most characters of a brand's name.
	MaxName = 60
)

// Brand is how the pages look.
type Brand struct {
	// What the pages call this site, at most 60 characters. Default: the issuer's host.
	Name string `json:"name,omitempty"`

	// The colour of buttons, as #rrggbb. Links and outlines take it too, made darker
	// or lighter as far as needed to be read. Default: `#2456c4`.
	Accent string `json:"accent,omitempty"`

	// The same where people prefer dark pages. Default: as accent.
	AccentDark string `json:"accent_dark,omitempty"`

	// A file with the logo, .svg or .png, of at most 256 KiB. It is read once, when
	// the configuration is loaded. Default: the name is written instead.
	Logo string `json:"logo,omitempty"`

	// The same where people prefer dark pages. Default: as logo.
	LogoDark string `json:"logo_dark,omitempty"`
}

// Validate looks at everything that can be judged without reading a file.
func (b *Brand) Validate() error {
	errs := []error{
		ValidateColour("accent", b.Accent), ValidateColour("accent_dark", b.AccentDark),
		ValidateLogo("logo", b.Logo), ValidateLogo("logo_dark", b.LogoDark), ValidateName(b.Name),
	}
	if b.LogoDark != "" && b.Logo == "" {
		errs = append(errs, errors.New("logo_dark needs a logo beside it"))
	}
	return errors.Join(errs...)
}

// ValidateName checks a brand's name; "" is the default.
func ValidateName(name string) error {
	if utf8.RuneCountInString(name) > MaxName || Untrusted(name).String() != name {
		return fmt.Errorf("name: give one line of at most %d visible characters", MaxName)
	}
	return nil
}

// ValidateColour checks a colour; "" is the default.
func ValidateColour(option, text string) error {
	if text == "" {
		return nil
	}
	if _, err := parseColour(text); err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	return nil
}

// ValidateLogo checks the name of a logo's file; "" is none.
func ValidateLogo(option, path string) error {
	if _, known := logoTypes[strings.ToLower(filepath.Ext(path))]; path != "" && !known {
		return fmt.Errorf("%s: give a .svg or .png file", option)
	}
	return nil
}

// accent is the colour on light pages. It must be valid.
func (b *Brand) accent() colour {
	text := b.Accent
	if text == "" {
		text = DefaultAccent
	}
	c, _ := parseColour(text)
	return c
}

// logoTypes are the media types of logos by how their files' names end.
var logoTypes = map[string]string{".svg": "image/svg+xml", ".png": "image/png"}

// shownBrand is what templates know of the brand.
type shownBrand struct {
	Name string
	// Logo and LogoDark are paths, or ""; Icon is one in any case.
	Logo, LogoDark, Icon string
}

// icon is a keyhole in the colour of buttons, for brands without a logo.
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="%s"/>` +
	`<path fill="%s" d="M16 7a5 5 0 0 0-2.5 9.3L12 25h8l-1.5-8.7A5 5 0 0 0 16 7z"/></svg>`

// dress reads the logos.
func (s *Set) dress(b Brand) (shownBrand, error) {
	shown := shownBrand{Name: b.Name}
	if b.Name == "" {
		shown.Name = DefaultName
	}
	var err error
	if shown.Logo, err = s.logo(b.Logo); err != nil {
		return shown, err
	}
	if shown.Icon = shown.Logo; shown.Icon == "" {
		accent := b.accent()
		shown.Icon = s.serve("svg", logoTypes[".svg"], fmt.Appendf(nil, icon, accent, accent.on()))
	}
	shown.LogoDark, err = s.logo(b.LogoDark)
	return shown, err
}

func (s *Set) logo(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	content, err := readFile(path, MaxLogo)
	if err != nil {
		return "", err
	}
	ext := strings.ToLower(filepath.Ext(path))
	check := checkPNG
	if ext == ".svg" {
		check = checkSVG
	}
	if err := check(content); err != nil {
		return "", fmt.Errorf("pages: %s: %w", path, err)
	}
	return s.serve(ext[1:], logoTypes[ext], content), nil
}

func checkPNG(content []byte) error {
	if _, err := png.DecodeConfig(bytes.NewReader(content)); err != nil {
		return fmt.Errorf("not a PNG picture: %w", err)
	}
	return nil
}

// checkSVG looks whether the file's first element is svg.
func checkSVG(content []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(content))
	for {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("not an SVG picture: %w", err)
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name.Local != "svg" {
				return errors.New("not an SVG picture")
			}
			return nil
		}
	}
}
