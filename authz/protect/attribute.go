// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// MaxAttributes is the number of further attributes that challenges may have.
	MaxAttributes = 8
	// MaxAttribute is the length in bytes of the longest name or value of those.
	MaxAttribute = 256
)

// attribute is one auth-param of a challenge (RFC 9110 §11.2).
type attribute struct{ name, value string }

// ownAttributes have a meaning in challenges for tokens (RFC 6750 §3, RFC 9449
// §5.1 and §8, RFC 9470 §3, RFC 9728 §5.1): only the guard knows what is true.
var ownAttributes = []string{
	"realm", "scope", "error", "error_description", "error_uri", "resource_metadata", "acr_values", "max_age", "algs", "nonce",
	"dpop_jkt", "charset",
}

// newAttributes checks the further attributes of challenges, and sorts them.
func newAttributes(extra map[string]string) ([]attribute, error) {
	if len(extra) > MaxAttributes {
		return nil, fmt.Errorf("challenge: at most %d attributes", MaxAttributes)
	}
	var sorted []attribute
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if err := ValidateAttribute(name, extra[name]); err != nil {
			return nil, err
		}
		if len(sorted) > 0 && slices.ContainsFunc(sorted, func(a attribute) bool { return strings.EqualFold(a.name, name) }) {
			return nil, fmt.Errorf("challenge %s is there twice", name)
		}
		sorted = append(sorted, attribute{name, extra[name]})
	}
	return sorted, nil
}

// ValidateAttribute returns what is wrong with a further attribute of challenges.
func ValidateAttribute(name, value string) error {
	switch {
	case !isToken(name) || len(name) > MaxAttribute:
		return fmt.Errorf("challenge %q is no name for an attribute: use letters, digits, dashes and underscores", name)
	case slices.Contains(ownAttributes, strings.ToLower(name)):
		return fmt.Errorf("challenge %s has a meaning of its own, which the guard tells", name)
	case value == "" || len(value) > MaxAttribute || !isPrintable(value):
		return fmt.Errorf("challenge %s: a value is 1 to %d printable ASCII characters", name, MaxAttribute)
	}
	return nil
}
