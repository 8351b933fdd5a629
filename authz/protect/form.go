// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// MaxForm is the size in bytes of the largest form that is searched for a token.
const MaxForm = 64 << 10

var (
	errFormBody = authz.ErrInvalidRequest.Describe("The body of the request could not be read.")
	errFormType = authz.ErrInvalidRequest.Describe("The request has more than one Content-Type.")
	errFormSize = authz.ErrTooLarge.Describe("Forms are searched for an access token here, and this one is too large for that.")
)

// readForm looks for a token in the body of r, if that is a form which may have
// one (RFC 6750 §2.2), and leaves r with the same body again. Whatever else the
// body is, it is not read.
func readForm(r *http.Request) (token string, found presence, refusal *authz.Error) {
	if form, refusal := hasForm(r); !form {
		return "", absent, refusal
	}
	if r.ContentLength > MaxForm {
		return "", absent, errFormSize
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxForm+1))
	switch {
	case errors.As(err, new(*http.MaxBytesError)), err == nil && len(body) > MaxForm:
		return "", absent, errFormSize
	case err != nil:
		return "", absent, errFormBody.Because(err)
	}
	// Framing and trailers are the request's own still: only the bytes are ours.
	r.Body = &readBody{Reader: bytes.NewReader(body), Closer: r.Body}
	token, found = findToken(string(body))
	return token, found, nil
}

// readBody is a body that has been read, to be read once more.
type readBody struct {
	io.Reader
	io.Closer
}

// hasForm reports whether the body of r is a form that may have a token.
func hasForm(r *http.Request) (bool, *authz.Error) {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch: // RFC 6750 §2.2: not GET
	default:
		return false, nil
	}
	if r.Body == nil || r.Body == http.NoBody || len(r.Header["Content-Encoding"]) > 0 {
		return false, nil
	}
	types := r.Header["Content-Type"]
	if len(types) == 0 {
		return false, nil
	}
	if len(types) > 1 { // which of them the service reads is a guess
		return false, errFormType
	}
	// An error about parameters comes with the type, which others would go by.
	kind, _, err := mime.ParseMediaType(types[0])
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false, nil
	}
	return kind == authz.MediaTypeForm, nil
}
