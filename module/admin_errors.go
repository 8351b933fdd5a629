// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// adminRefusal is an error of the admin API with a sentence that says what to do.
func adminRefusal(status int, message string) error {
	return caddy.APIError{HTTPStatus: status, Err: errors.New(message), Message: message}
}

// adminError gives errors of the rooms below their status.
func adminError(err error) error {
	var ready caddy.APIError
	var protocol *authz.Error
	status, message := http.StatusInternalServerError, ""
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &protocol):
		status, message = protocol.Status, protocol.Description
	case errors.Is(err, tokenstore.ErrConflict):
		status, message = http.StatusConflict, "it was changed by somebody else at the same time: look at it, and try again"
	case errors.Is(err, tokenstore.ErrUnknown):
		status, message = http.StatusServiceUnavailable, "whether it was done is not known: the store could not tell. Look, and try again"
	case errors.Is(err, tokenstore.ErrFull):
		status, message = http.StatusServiceUnavailable, "the disk of the token store is full; nothing was changed. Make room, and try again"
	case errors.Is(err, tokenstore.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		status, message = http.StatusServiceUnavailable, "the token store cannot answer at the moment; nothing was changed. Try again, and see Caddy's log"
	case errors.Is(err, tokenstore.ErrDamaged):
		message = "a record of the token store is damaged; see Caddy's log"
	}
	return caddy.APIError{HTTPStatus: status, Err: err, Message: message}
}

// isTrouble reports whether err is trouble of ours, and no fault of the request.
func isTrouble(err error) bool {
	for _, trouble := range []error{tokenstore.ErrConflict, tokenstore.ErrUnknown, tokenstore.ErrUnavailable, tokenstore.ErrFull,
		tokenstore.ErrDamaged, tokenstore.ErrSealKey, authz.ErrTemporarilyUnavailable, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, trouble) {
			return true
		}
	}
	return false
}
