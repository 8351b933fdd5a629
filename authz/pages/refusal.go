// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// RefusalPage is the content of the page that a browser shows where a guard
// refuses to open what it asked for.
type RefusalPage struct {
	// Status is the HTTP status of the answer.
	Status int
	// Code is the error code.
	Code string
	// Summary is the error's own sentence, in English.
	Summary string
	// More is a page that explains the code, or "".
	More string
}

// refusals are the statuses of which the catalogue says in plain words what they
// mean to who opened a page.
var refusals = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed,
	http.StatusRequestEntityTooLarge, http.StatusTooEarly,
}

// Key names what the catalogue says: what to do, and with ".title" the headline.
func (p RefusalPage) Key() string {
	switch {
	case p.Code == authz.ErrCrossOrigin.Code:
		return "refusal." + p.Code // who may open the page, and must do it there
	case slices.Contains(refusals, p.Status):
		return "refusal." + strconv.Itoa(p.Status)
	}
	return "refusal.other"
}

func (RefusalPage) template() string { return "refusal" }

func (p RefusalPage) title() (key, text string) { return p.Key() + ".title", "" }

// RenderRefusal writes the page with its status, in the language that the request
// prefers. Other headers stay as they are.
func RenderRefusal(w http.ResponseWriter, r *http.Request, page RefusalPage) error {
	return write(w, r, page.Status, page)
}
