// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package form reads the bodies of requests that have to be forms. What the fields may
// be is the business of whoever reads them.
package form

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Read returns the body of r as it was sent. It is a form and nothing else: of one
// Content-Type, without content encoding, and of at most limit bytes. Of what is more
// nothing is returned, and what says so beforehand is not read. Failures are 4xx.
func Read(w http.ResponseWriter, r *http.Request, limit int64) (string, *authz.Error) {
	// A compressed body could be a thousand times what the limit allows.
	if r.Header.Get("Content-Encoding") != "" {
		return "", authz.ErrUnsupportedMediaType.Describe("Send the body without content encoding.")
	}
	types := r.Header.Values("Content-Type")
	if len(types) != 1 {
		return "", authz.ErrUnsupportedMediaType
	}
	// A form of another site can be sent as text/plain, and look like JSON.
	if media, _, err := mime.ParseMediaType(types[0]); err != nil || media != authz.MediaTypeForm {
		return "", authz.ErrUnsupportedMediaType
	}
	if r.ContentLength > limit {
		return "", authz.ErrTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if errors.As(err, new(*http.MaxBytesError)) {
		return "", authz.ErrTooLarge
	}
	if err != nil {
		return "", authz.ErrInvalidRequest.Describe("The request body could not be read.").Because(err)
	}
	return string(body), nil
}
