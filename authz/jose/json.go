// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

const (
	// maxDepth is how deep JSON may be nested.
	maxDepth = 32
	// maxMembers is how many members one object may have: they are compared in pairs.
	maxMembers = 256
)

var (
	errJSON       = errors.New("not a JSON object in UTF-8")
	errDuplicate  = errors.New("a member that is there twice")
	errDeep       = errors.New("too deeply nested")
	errManyMember = errors.New("too many members")
)

// checkObject reports whether text is one JSON object that every parser reads
// alike: in UTF-8, no member twice at any depth (RFC 8259 §4), nothing before or
// after it but spaces.
func checkObject(text []byte) error {
	if !utf8.Valid(text) || !json.Valid(text) {
		return errJSON
	}
	w := walker{text: text}
	w.spaces()
	if w.text[w.at] != '{' {
		return errJSON
	}
	return w.value(0)
}

// walker walks over JSON that is known to be valid.
type walker struct {
	text []byte
	at   int
}

func (w *walker) spaces() {
	for w.at < len(w.text) && (w.text[w.at] == ' ' || w.text[w.at] == '\t' || w.text[w.at] == '\n' || w.text[w.at] == '\r') {
		w.at++
	}
}

// value walks over one value and the spaces on both sides of it.
func (w *walker) value(depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	w.spaces()
	defer w.spaces()
	switch w.text[w.at] {
	case '{':
		return w.object(depth)
	case '[':
		return w.array(depth)
	case '"':
		w.quoted()
	default: // a number or a word
		for w.at < len(w.text) && !delimits(w.text[w.at]) {
			w.at++
		}
	}
	return nil
}

func delimits(c byte) bool {
	switch c {
	case ',', ']', '}', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

func (w *walker) object(depth int) error {
	var room [24]string
	names := room[:0]
	w.at++
	for w.spaces(); w.text[w.at] != '}'; {
		if len(names) == maxMembers {
			return errManyMember
		}
		name, err := w.name()
		if err != nil {
			return err
		}
		for _, other := range names {
			if name == other {
				return errDuplicate
			}
		}
		names = append(names, name)
		w.spaces()
		w.at++ // the colon
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.comma()
	}
	w.at++
	return nil
}

func (w *walker) array(depth int) error {
	w.at++
	for w.spaces(); w.text[w.at] != ']'; {
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.comma()
	}
	w.at++
	return nil
}

// comma walks over the comma between two elements, if there is another one.
func (w *walker) comma() {
	if w.text[w.at] == ',' {
		w.at++
		w.spaces()
	}
}

// name walks over a member's name and returns what it means, escapes resolved:
// "sub" and "s\u0075b" are one name.
func (w *walker) name() (string, error) {
	quoted, escaped := w.quoted()
	if !escaped {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		return "", errJSON
	}
	return name, nil
}

// quoted walks over a string and returns it with its quotes.
func (w *walker) quoted() (text []byte, escaped bool) {
	start := w.at
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			escaped = true
			w.at++
		}
	}
	w.at++
	return w.text[start:w.at], escaped
}
