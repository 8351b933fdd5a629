// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// purpose is what the handles of all these pages are for.
	purpose = "account form"
	// formLasts is how long a page can be open before its forms are too old.
	formLasts = time.Hour
	// maxBody is the size in bytes of the largest form that is read: the list of
	// redirect URIs may be long.
	maxBody = 192 << 10
)

// form is what a handle carries: whose page it was, so that a form that was opened
// by one account does nothing for another.
type form struct {
	Subject string `cbor:"1,keyasint"`
	Session string `cbor:"2,keyasint"`
	// Passkey and App are what was begun on the page.
	Passkey *factor.Ceremony  `cbor:"3,keyasint,omitempty"`
	App     *factor.Enrolment `cbor:"4,keyasint,omitempty"`

	opened handle.Opened
	fields url.Values
}

// seal makes the handle of a page that the visitor gets.
func (v *visit) seal(f form) (string, error) {
	f.Subject, f.Session = v.subject(), v.account.Session.ID
	binding := v.config.Handles.Binding(v.w, v.r)
	return v.config.Handles.Seal(v.r.Context(), purpose, binding, formLasts, f)
}

// checkOrigin refuses what no page of ours has sent (row U01), and what is no form.
func (v *visit) checkOrigin() error {
	if !handle.SameOrigin(v.r, v.config.Origin) {
		return refuse(authz.ErrCrossOrigin)
	}
	kind, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if err != nil || kind != authz.MediaTypeForm {
		return refuse(authz.ErrUnsupportedMediaType)
	}
	return nil
}

// openForm reads the form, and returns what its button does.
func (v *visit) openForm() (func(*visit) error, error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxBody)
	if err := v.r.ParseForm(); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return nil, refuse(authz.ErrTooLarge)
		}
		return nil, refuse(authz.ErrInvalidRequest)
	}
	fields := v.r.PostForm
	for name, values := range fields {
		if len(values) != 1 && !slices.Contains(repeatable, name) {
			return nil, refuse(authz.ErrInvalidRequest)
		}
	}
	opened, err := v.config.Handles.Open(v.r.Context(), v.r, purpose, fields.Get(pages.FieldHandle), &v.form)
	if errors.Is(err, handle.ErrInvalid) {
		return nil, errExpired
	}
	if err != nil {
		return nil, err
	}
	if v.form.Subject != v.subject() || v.form.Session != v.account.Session.ID {
		return nil, errExpired
	}
	v.form.opened, v.form.fields = opened, fields
	do := v.page.do[fields.Get(pages.FieldDo)]
	if do == nil {
		return nil, refuse(authz.ErrInvalidRequest)
	}
	return do, nil
}

// repeatable are the fields that come once for each box that is ticked.
var repeatable = []string{pages.FieldScope, pages.FieldGrantTypes}

// field returns what was posted, without space around it.
func (v *visit) field(name string) string { return strings.TrimSpace(v.form.fields.Get(name)) }

// lines returns the lines of a text area that are not empty, at most limit+1 of them:
// whoever validates them sees that there are too many.
func (v *visit) lines(name string, limit int) []string {
	var lines []string
	for line := range strings.Lines(v.form.fields.Get(name)) {
		if line = strings.TrimSpace(line); line != "" && len(lines) <= limit {
			lines = append(lines, line)
		}
	}
	return lines
}

// once makes change use the form up: what is shown once is not made again by
// pressing the button, or loading the page, twice.
func (v *visit) once(change *tokenstore.Change) { handle.Spend(change, v.form.opened) }

// commit commits a change, and tells of it.
func (v *visit) commit(change *tokenstore.Change, e authz.Event) error {
	if _, err := v.db.Commit(v.r.Context(), change); err != nil {
		return err
	}
	v.note(v.r.Context(), e)
	return nil
}
