// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
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

// read reads the body of the request as a form, and nothing but the body. Fields
// stand once.
func (v *visit) read(context.Context) error {
	if v.r.Header.Get("Content-Encoding") != "" {
		return authz.ErrUnsupportedMediaType.Describe("Send the body without content encoding.")
	}
	types := v.r.Header.Values("Content-Type")
	if len(types) != 1 {
		return authz.ErrUnsupportedMediaType
	}
	// Row U02: a form of another site can be sent as text/plain, and look like JSON.
	if media, _, err := mime.ParseMediaType(types[0]); err != nil || media != authz.MediaTypeForm {
		return authz.ErrUnsupportedMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(v.w, v.r.Body, MaxForm))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return authz.ErrTooLarge
	}
	if err != nil {
		return authz.ErrInvalidRequest.Describe("The request body could not be read.").Because(err)
	}
	v.form, err = parseForm(string(body))
	return err
}

// parseForm parses a form in which every field stands once.
func parseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxFields {
		return nil, authz.ErrInvalidRequest.Describe("The form has too many fields.")
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, authz.ErrInvalidRequest.Describe("The form is malformed.")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, authz.ErrInvalidRequest.Describe("A field stands there more than once.")
		}
	}
	return form, nil
}
