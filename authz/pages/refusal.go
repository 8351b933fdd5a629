// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// ErrorCode explains an error code and says what to do about it, in words of the
// catalogue.
type ErrorCode struct {
	// Code is the error code, one of authz.Errors(), or "" on the page for a code
	// that does not exist.
	Code string
	// Status is the HTTP status that comes with the code.
	Status int
	// Summary is the error's own sentence, in English.
	Summary string
}

func (ErrorCode) kind() kind { return kind{name: "errorcode"} }

// Refusal is what a browser shows where a guard refuses to open what it asked for,
// at the guarded site.
type Refusal struct {
	// Status is the HTTP status of the answer.
	Status int
	// Code is the error code.
	Code string
	// Summary is the error's own sentence, in English.
	Summary string
	// More is a page that explains the code, or "".
	More string
}

func (Refusal) kind() kind { return kind{name: "refusal", alone: true} }

// refusals are the statuses of which the catalogue says in plain words what they
// mean to who opened a page.
var refusals = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed,
	http.StatusRequestEntityTooLarge, http.StatusTooEarly,
}

// Key names what the catalogue says: what to do, and with ".title" the headline.
func (p Refusal) Key() string {
	switch {
	case p.Code == authz.ErrCrossOrigin.Code:
		return "refusal." + p.Code // who may open the page, and must do it there
	case slices.Contains(refusals, p.Status):
		return "refusal." + strconv.Itoa(p.Status)
	}
	return "refusal.other"
}
