// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Examine says who a request comes from, for somebody else who lets it pass or
// not: nil for nobody, where a row asks for no credential. The request stays as
// it is, and is not followed afterwards. The error is why the table does not let
// it pass, an *[authz.Error]; the challenge is then among the headers of w, and
// nothing is written.
func (g *Guard) Examine(w http.ResponseWriter, r *http.Request) (*authz.Principal, error) {
	still := r.WithContext(r.Context())
	still.Header = r.Header.Clone()
	d := decision{start: time.Now()}
	switch d.row, d.refusal = g.route(still); {
	case d.refusal != nil:
	case d.row == ownPath:
		d.row, d.refusal = nil, authz.ErrDenied
	default:
		g.judge(still, passageFrom(r.Context()).carrying(), &d)
	}
	if d.refusal != nil {
		g.recordRefusal(r, d)
		if challenged(d.refusal) {
			w.Header().Set("WWW-Authenticate", g.challenge(r, d.row, d.refusal))
		}
		return nil, d.refusal
	}
	event := authz.Event{Type: authz.EventDecision, Outcome: authz.Allowed, Took: time.Since(d.start)}
	g.tell(&event, d.passage)
	g.config.Recorder.Record(r.Context(), event)
	if d.passage == nil || !d.passage.checked {
		return nil, nil
	}
	return &d.passage.principal, nil
}
