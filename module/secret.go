// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/caddyserver/caddy/v2"
)

// onePlaceholder is a text that is nothing but a placeholder of a kind that
// names where a secret is. Such a text is no secret itself.
var onePlaceholder = regexp.MustCompile(`^\{(env|file)\.[^{}]+\}$`)

// resolveSecret replaces the placeholders of a configured secret. Unknown and
// empty ones are errors, for they would make a secret that everybody knows. The
// error names the placeholder where the text is one, and else nothing: what
// looks like a placeholder may be a part of a literal secret.
func resolveSecret(configured string) (string, error) {
	text, err := caddy.NewReplacer().ReplaceOrErr(configured, true, true)
	switch {
	case err == nil && text != "":
		return text, nil
	case onePlaceholder.MatchString(configured):
		return "", fmt.Errorf("%s is empty or cannot be read", configured)
	case configured == "":
		return "", errors.New("it is empty")
	}
	return "", errors.New("something in braces is no placeholder with a value; write a literal brace as \\{")
}

// textOf returns what a JSON field says that is a text where it could be an object.
func textOf(field json.RawMessage) (text string, ok bool) {
	if len(field) == 0 || field[0] != '"' {
		return "", false
	}
	err := json.Unmarshal(field, &text)
	return text, err == nil
}

// resolveKeys returns the key set that a configured one is: itself, or what its
// placeholder stands for.
func resolveKeys(configured json.RawMessage) (json.RawMessage, error) {
	text, named := textOf(configured)
	if !named {
		return configured, nil
	}
	resolved, err := resolveSecret(text)
	return json.RawMessage(resolved), err
}
