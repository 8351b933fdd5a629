// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"net/http"
	"strconv"
)

// getAudit lists the entries of the audit ring, newest first.
func getAudit(r *adminRequest) (any, error) {
	_, limit, err := r.page()
	if err != nil {
		return nil, err
	}
	var before uint64
	if text := r.URL.Query().Get("before"); text != "" {
		if before, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, adminRefusal(http.StatusBadRequest, "before is the sequence number of an entry")
		}
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	entries, err := db.AuditLog(r.Context(), before, limit+1)
	if err != nil {
		return nil, err
	}
	list := auditList{Entries: []auditView{}}
	if len(entries) > limit {
		entries = entries[:limit]
		list.Before = entries[limit-1].Seq
	}
	for _, e := range entries {
		list.Entries = append(list.Entries, auditView{
			Seq: e.Seq, Time: e.Time.UTC(), Event: e.Type, Outcome: e.Outcome, Reason: e.Reason,
			GrantType: e.GrantType, Client: e.Client, Subject: e.Subject, Grant: e.Grant, Actor: e.Actor, Request: e.Request,
		})
	}
	return list, nil
}
