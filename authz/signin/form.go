// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/form"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
)

const (
	// MaxForm is the length in bytes of the longest form that is read: room for a
	// handle and an authenticator's answer.
	MaxForm = handle.MaxLength + 2*factor.MaxResponse
	// maxFields is how many fields a form may have.
	maxFields = 20
)

// read reads the body of the request as a form, and nothing but the body (row U02).
// Fields stand once.
func (v *visit) read(context.Context) error {
	body, refusal := form.Read(v.w, v.r, MaxForm)
	if refusal != nil {
		return refusal
	}
	var err error
	v.form, err = parseForm(body)
	return err
}

// parseForm parses a form in which every field stands once.
func parseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxFields {
		return nil, authz.ErrInvalidRequest.Describe("The form has too many fields.")
	}
	fields, err := url.ParseQuery(body)
	if err != nil {
		return nil, authz.ErrInvalidRequest.Describe("The form is malformed.")
	}
	for _, values := range fields {
		if len(values) > 1 {
			return nil, authz.ErrInvalidRequest.Describe("A field stands there more than once.")
		}
	}
	return fields, nil
}
