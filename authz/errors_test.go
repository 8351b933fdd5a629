// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that what is derived from a template is still recognised, and that
// the template itself never changes.
func TestErrorsAreDerivedFromTemplates(t *testing.T) {
	before := *authz.ErrInvalidToken
	derived := authz.ErrInvalidToken.Describe("The access token has expired.").Because(io.EOF).Needing("read")
	if !errors.Is(derived, authz.ErrInvalidToken) || errors.Is(derived, authz.ErrInvalidGrant) || !errors.Is(derived, io.EOF) {
		t.Error("the derived error is not what it derives from")
	}
	if derived.Description != "The access token has expired." || derived.Scope != "read" || derived.Status != http.StatusUnauthorized {
		t.Errorf("%+v", derived)
	}
	if *authz.ErrInvalidToken != before {
		t.Error("the template has changed")
	}
	if text := derived.Error(); text != "invalid_token: The access token has expired.: EOF" {
		t.Error(text)
	}
	if text := before.Error(); text != "invalid_token: The access token is invalid, expired or revoked." {
		t.Error(text)
	}
}

// Ensure that every template can be sent: its code is its own, and code and
// description have only the characters of RFC 6749 §5.2.
func TestErrorTemplatesCanBeSent(t *testing.T) {
	codes := map[string]bool{}
	for _, e := range authz.Errors() {
		if codes[e.Code] || e.Code == "" {
			t.Errorf("code %q is not its own", e.Code)
		}
		codes[e.Code] = true
		if e.Status < 400 || e.Status > 599 || e.Description == "" {
			t.Errorf("%+v", e)
		}
		if strings.ContainsFunc(e.Code+e.Description, func(c rune) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' }) {
			t.Errorf("%s has characters that an answer may not have", e.Code)
		}
		if (e.RetryAfter > 0) != (e.Status == http.StatusServiceUnavailable) {
			t.Errorf("%s: retry after %s with status %d", e.Code, e.RetryAfter, e.Status)
		}
	}
}
