// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/form"
)

// Limits of a form.
const (
	// MaxBody is the length in bytes of the longest body that is read.
	MaxBody = 64 << 10
	// MaxParameters is how many parameters a form may have.
	MaxParameters = 200
	// MaxResources is how many resources one request may name.
	MaxResources = 10
)

// readForm reads the body of a request as a form, and nothing but the body.
// Parameters of the given names may stand there several times.
func readForm(w http.ResponseWriter, r *http.Request, repeatable ...string) (url.Values, error) {
	body, refusal := form.Read(w, r, MaxBody)
	if refusal != nil {
		return nil, refusal
	}
	return parseForm(body, repeatable...)
}

// parseForm parses a form in which every parameter stands once (RFC 6749 §3.2),
// but for resource (RFC 8707 §2) and those that are named. Parameters without a value are left out, as if
// they had not been sent (§3.2); client_secret and client_assertion are not, since
// sending an empty one is an attempt to authenticate.
func parseForm(body string, repeatable ...string) (url.Values, error) {
	if strings.Count(body, "&") >= MaxParameters {
		return nil, authz.ErrInvalidRequest.Describe("The request has too many parameters.")
	}
	parameters, seen := url.Values{}, map[string]bool{}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(rawName)
		value, valueErr := url.QueryUnescape(rawValue)
		// Some parsers take a semicolon for a separator: it must be encoded.
		if nameErr != nil || valueErr != nil || strings.Contains(pair, ";") {
			return nil, authz.ErrInvalidRequest.Describe("The form is malformed.")
		}
		if seen[name] && name != authz.ParamResource && !slices.Contains(repeatable, name) {
			return nil, authz.ErrInvalidRequest.Describe("A parameter stands there more than once.")
		}
		seen[name] = true
		if value != "" || name == authz.ParamClientSecret || name == authz.ParamClientAssertion {
			parameters[name] = append(parameters[name], value)
		}
	}
	if len(parameters[authz.ParamResource]) > MaxResources {
		return nil, authz.ErrInvalidTarget.Describe("The request names too many resources.")
	}
	return parameters, nil
}
