// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
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
	// Logo and LogoDark are paths, or the pictures themselves, or "".
	Logo     template.URL
	LogoDark template.Srcset
	// Icon is a path. Pages that carry the pictures have none.
	Icon template.URL
}

// icon is a keyhole in the colour of buttons, for brands without a logo.
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="%s"/>` +
	`<path fill="%s" d="M16 7a5 5 0 0 0-2.5 9.3L12 25h8l-1.5-8.7A5 5 0 0 0 16 7z"/></svg>`

// maxCarried is the most bytes of a logo that a page carries in itself: a page that
// refuses is sent to whoever asks.
const maxCarried = 16 << 10

// dress reads the logos, for pages that load them and for those that carry them.
func (s *Set) dress(b Brand) (err error) {
	s.brand.Name = b.Name
	if b.Name == "" {
		s.brand.Name = DefaultName
	}
	s.carried.Name = s.brand.Name
	var logo, dark picture
	if logo, err = readLogo(b.Logo); err != nil {
		return err
	}
	if dark, err = readLogo(b.LogoDark); err != nil {
		return err
	}
	s.brand.Logo, s.brand.LogoDark = template.URL(s.show(logo)), template.Srcset(s.show(dark))
	if s.brand.Icon = s.brand.Logo; s.brand.Icon == "" {
		accent := b.accent()
		s.brand.Icon = template.URL(s.show(picture{".svg", fmt.Appendf(nil, icon, accent, accent.on())}))
	}
	if len(logo.content) <= maxCarried && len(dark.content) <= maxCarried {
		s.carried.Logo, s.carried.LogoDark = template.URL(logo.data()), template.Srcset(dark.data())
	}
	return nil
}

// picture is a logo; the zero value is none.
type picture struct {
	ext     string // ".svg"
	content []byte
}

// show returns the path at which pages load the picture, or "".
func (s *Set) show(p picture) string {
	if p.ext == "" {
		return ""
	}
	return s.serve(p.ext[1:], logoTypes[p.ext], p.content)
}

// data returns a URL that is the picture (RFC 2397), or "".
func (p picture) data() string {
	if p.ext == "" {
		return ""
	}
	return "data:" + logoTypes[p.ext] + ";base64," + base64.StdEncoding.EncodeToString(p.content)
}

func readLogo(path string) (picture, error) {
	if path == "" {
		return picture{}, nil
	}
	content, err := readFile(path, MaxLogo)
	if err != nil {
		return picture{}, err
	}
	ext := strings.ToLower(filepath.Ext(path))
	check := checkPNG
	if ext == ".svg" {
		check = checkSVG
	}
	if err := check(content); err != nil {
		return picture{}, fmt.Errorf("pages: %s: %w", path, err)
	}
	return picture{ext, content}, nil
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
