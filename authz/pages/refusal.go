// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import "net/http"

// RefusalPage is the content of the page that a browser shows where a guard
// refuses to open what it asked for.
type RefusalPage struct {
	// Status is the HTTP status of the answer.
	Status int
	// Code is the error code.
	Code string
	// Summary is the error's own sentence.
	Summary string
	// More is a page that explains the code, or "".
	More string
}

// refusalTitles say in plain words what a status means to who opened a page.
var refusalTitles = map[int]string{
	http.StatusBadRequest:            "This request cannot be understood",
	http.StatusUnauthorized:          "This page is protected",
	http.StatusForbidden:             "You may not open this page",
	http.StatusMethodNotAllowed:      "This cannot be done here",
	http.StatusRequestEntityTooLarge: "Too much was sent",
	http.StatusTooEarly:              "Please try once more",
}

// Title is the headline of the page.
func (p RefusalPage) Title() string {
	if title, ok := refusalTitles[p.Status]; ok {
		return title
	}
	return "This page cannot be opened"
}

// RenderRefusal writes the page with its status. Other headers stay as they are.
func RenderRefusal(w http.ResponseWriter, page RefusalPage) error {
	return write(w, page.Status, "refusal", page)
}
