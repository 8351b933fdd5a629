// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Verb says what a row does with the requests that it matches.
type Verb string

// Verbs of rows.
const (
	// Allow passes requests with a valid credential that meets the requirement.
	Allow Verb = "allow"
	// Optional passes requests with a valid credential and requests with none;
	// an invalid credential is refused, not taken for none.
	Optional Verb = "optional"
	// Public passes every request; the credential is not examined.
	Public Verb = "public"
	// Deny refuses every request.
	Deny Verb = "deny"
)

// Row is one line of a guard's table.
type Row struct {
	// Verb says what happens to matching requests: "allow", "optional", "public"
	// or "deny". Required.
	Verb Verb `json:"verb"`
	// Methods are matched exactly. With none the row takes GET, HEAD, POST,
	// PUT, PATCH, DELETE and OPTIONS; other methods must be named, and where
	// they are not, the row refuses them even if a less specific row names them.
	// GET takes HEAD along where the same path has no row for HEAD.
	Methods []string `json:"methods,omitempty"`
	// Path is a path such as /orders/{name}: literal segments, "*" for one whole
	// segment in the middle, "/*" at the end for the path and everything below.
	Path string `json:"path"`
	// Requirement is what an Allow row demands beyond a valid credential:
	// alternatives, one of which must be met, each a list of scopes that are all
	// needed, such as [["orders:read", "reports"], ["admin"]]. Default: nothing.
	Requirement scope.Requirement `json:"requirement,omitempty"`
	// Conditions are what an Allow row demands of the principal beyond scopes.
	// Default: nothing.
	Conditions *Conditions `json:"conditions,omitempty"`
	// Upstream replaces the guard's own for this row. Default: the guard's.
	Upstream *Upstream `json:"upstream,omitempty"`
	// Source is where the row was written, such as "Caddyfile:12", for errors.
	Source string `json:"-"`
}

// ParseRow reads a row as it is written in a Caddyfile:
//
//	allow|optional|public|deny [METHOD…] /path [scope… [| scope…]]
//
// The result is valid in itself; whether it conflicts with other rows only
// [New] can tell. ParseRow keeps no state and is safe for concurrent use.
func ParseRow(verb string, args []string) (Row, error) {
	row := Row{Verb: Verb(verb)}
	i := 0
	for i < len(args) && !strings.HasPrefix(args[i], "/") {
		row.Methods = append(row.Methods, args[i])
		i++
	}
	if i == len(args) {
		if err := row.checkMethods(); err != nil {
			return Row{}, fmt.Errorf("%s: %w; a path that begins with a slash is missing", verb, err)
		}
		return Row{}, fmt.Errorf("%s: a path that begins with a slash is missing", verb)
	}
	row.Path = args[i]
	requirement, err := ParseRequirement(args[i+1:])
	if err != nil {
		return Row{}, fmt.Errorf("%s %s: %w", verb, row.Path, err)
	}
	row.Requirement = requirement
	if err := row.Validate(); err != nil {
		return Row{}, err
	}
	return row, nil
}

// ParseRequirement reads alternatives of scopes, separated by "|". None at all is
// no requirement. Whether the words can be scopes is up to [ValidateRequirement].
func ParseRequirement(words []string) (scope.Requirement, error) {
	if len(words) == 0 {
		return nil, nil
	}
	var requirement scope.Requirement
	var all []string
	for _, word := range append(slices.Clone(words), "|") {
		switch {
		case word != "|" && strings.Contains(word, "|"):
			return nil, fmt.Errorf("%q: put spaces around the | between alternatives", word)
		case word != "|":
			all = append(all, word)
		case len(all) == 0:
			return nil, errors.New("an alternative beside | has no scope")
		default:
			requirement = append(requirement, scope.Of(all...))
			all = nil
		}
	}
	return requirement, nil
}

// ValidateRequirement returns what is wrong with a requirement.
func ValidateRequirement(requirement scope.Requirement) error {
	for _, all := range requirement {
		if len(all) == 0 {
			return errors.New("an alternative has no scope")
		}
		for _, word := range all {
			if !scope.Valid(word) {
				return fmt.Errorf("%q is no scope: use printable ASCII without space, quote and backslash, at most %d characters (RFC 6749 §3.3)", word, scope.MaxWord)
			}
		}
	}
	return nil
}

// Validate returns what is wrong with the row in itself, but for its expression.
// Whether it conflicts with other rows only [New] can tell.
func (r Row) Validate() error {
	if !slices.Contains([]Verb{Allow, Optional, Public, Deny}, r.Verb) {
		return fmt.Errorf("%q is no verb of a row: use allow, optional, public or deny", r.Verb)
	}
	if err := r.checkMethods(); err != nil {
		return fmt.Errorf("%s: %w", r.Verb, err)
	}
	if _, err := parsePattern(r.Path); err != nil {
		return fmt.Errorf("%s: %w", r.Verb, err)
	}
	if len(r.Requirement) > 0 && r.Verb != Allow {
		return fmt.Errorf("%s %s takes no scopes: only allow demands a credential", r.Verb, r.Path)
	}
	if err := ValidateRequirement(r.Requirement); err != nil {
		return fmt.Errorf("%s %s: %w", r.Verb, r.Path, err)
	}
	if r.Conditions != nil {
		if r.Verb != Allow {
			return fmt.Errorf("%s %s takes no conditions: only allow demands a credential", r.Verb, r.Path)
		}
		if err := r.Conditions.Validate(); err != nil {
			return fmt.Errorf("%s %s: %w", r.Verb, r.Path, err)
		}
	}
	if r.Upstream != nil && r.Verb == Deny {
		return fmt.Errorf("deny %s has an upstream: nothing that it matches goes upstream", r.Path)
	}
	if r.Upstream != nil {
		if _, err := newDress(*r.Upstream); err != nil {
			return fmt.Errorf("%s %s: %w", r.Verb, r.Path, err)
		}
	}
	return nil
}

// checkMethods returns what is wrong with the row's methods.
func (r Row) checkMethods() error {
	for i, m := range r.Methods {
		switch {
		case !methodWord(m) && methodWord(strings.ToUpper(m)):
			return fmt.Errorf("%q stands before the path, where methods are written in capitals: write %q if it is one, or put scopes after the path", m, strings.ToUpper(m))
		case !methodWord(m):
			return fmt.Errorf("%q stands before the path but is no method", m)
		case m == "TRACE" || m == "CONNECT":
			return fmt.Errorf("method %s: %w", m, errRefusedMethod)
		case slices.Contains(r.Methods[:i], m):
			return fmt.Errorf("method %s is named twice", m)
		}
	}
	return nil
}

// String returns the row as [ParseRow] reads it, without its block.
func (r Row) String() string {
	words := append([]string{string(r.Verb)}, r.Methods...)
	words = append(words, r.Path)
	if len(r.Requirement) > 0 {
		words = append(words, r.Requirement.String())
	}
	return strings.Join(words, " ")
}

// place returns the row and where it was written, for errors.
func (r Row) place() string {
	if r.Source == "" {
		return fmt.Sprintf("%q", r.String())
	}
	return fmt.Sprintf("%q (%s)", r.String(), r.Source)
}
