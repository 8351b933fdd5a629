// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"net/http"
	"strconv"

	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// showAudit lists what happened, the latest first: all, or what has to do with the
// user, client, grant, actor or event that is searched for.
func (v *visit) showAudit() error {
	text, page := v.query(querySearch), pages.AdminAudit{}
	limit, subject := pageSize, ""
	var err error
	if text != "" {
		limit = searched
		if subject, err = v.searchedUser(); err != nil {
			return err
		}
	}
	before, _ := strconv.ParseUint(v.query(queryAfter), 10, 64) // 0, the newest, for what is no number
	entries, err := v.db.AuditLog(v.r.Context(), before, limit)
	if err != nil {
		return err
	}
	next := ""
	for i, e := range entries {
		if text == "" || concerns(e, text, subject) {
			row, err := v.eventRow(e)
			if err != nil {
				return err
			}
			page.Events = append(page.Events, row)
		}
		if len(page.Events) == pageSize || i == limit-1 {
			next = strconv.FormatUint(e.Seq, 10)
			break
		}
	}
	if page.Shell, err = v.shell(); err != nil {
		return err
	}
	page.Listing = v.listing(next)
	return v.render(http.StatusOK, page)
}

// concerns reports whether an entry has to do with what is searched for. subject is
// that of the user of that name, or "".
func concerns(e tokenstore.AuditEntry, text, subject string) bool {
	for _, value := range []string{e.Type, e.Client, e.Subject, e.Grant, e.Actor, e.Request} {
		if value != "" && (value == text || value == subject) {
			return true
		}
	}
	return false
}

// eventRow is an entry as people see it.
func (v *visit) eventRow(e tokenstore.AuditEntry) (row pages.AdminEventRow, err error) {
	row = pages.AdminEventRow{
		Time: e.Time, Type: e.Type, Outcome: e.Outcome, Reason: e.Reason, Actor: pages.Untrusted(e.Actor),
		Client: pages.Untrusted(e.Client), Subject: pages.Untrusted(e.Subject), Grant: e.Grant,
	}
	if e.Subject != "" {
		if row.Username, err = v.username(e.Subject); err != nil {
			return row, err
		}
	}
	if e.Actor != "" {
		row.Actor, err = v.username(e.Actor) // "admin" and clients' ids are nobody's subject
	}
	return row, err
}
