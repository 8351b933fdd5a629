// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// maxAttempts is how often a request is judged anew because what it relied on
// changed before the commit.
const maxAttempts = 4

// exchange is a form request under way, and its answer.
type exchange struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request

	form   url.Values
	client client.Authenticated
	use    assertionUse

	// answer is what is sent in the end. It begins as the endpoint's safest
	// answer; nil is a refusal.
	answer any
	// created says that the answer tells of something new (201).
	created bool
	// event is what the recorder is told in the end.
	event authz.Event
}

// step is one thing that an endpoint does with a request. What it returns ends
// the exchange; an error that is no *authz.Error is trouble of ours.
type step struct {
	name string
	do   func(context.Context) error
}

// run takes the steps in order until one fails.
func run(ctx context.Context, steps []step) error {
	for _, st := range steps {
		err := st.do(ctx)
		if err == nil {
			continue
		}
		if known := (*authz.Error)(nil); errors.As(err, &known) {
			return err
		}
		// Never a 4xx: a client would throw its token or its secret away.
		return authz.ErrTemporarilyUnavailable.Because(fmt.Errorf("%s: %w", st.name, err))
	}
	return nil
}

// runAgain takes the steps, again from the first when somebody else changed what
// they rely on before they could commit.
func runAgain(ctx context.Context, steps []step) error {
	for attempt := 1; ; attempt++ {
		err := run(ctx, steps)
		if attempt == maxAttempts || !errors.Is(err, tokenstore.ErrConflict) {
			return err
		}
	}
}

// form returns the route of an endpoint that takes a form by POST. origins, if
// given, lets web pages of the client call it.
func (s *Server) form(endpoint func(*exchange) error, origins func(*exchange)) route {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.RawQuery != "" {
			s.config.SecretInURL(r)
		}
		if origins != nil {
			// The answer depends on who asks, also when nobody is allowed.
			w.Header().Add("Vary", "Origin")
			if s.preflight(w, r) {
				return nil
			}
		}
		if ok, err := s.allowMethods(w, r, http.MethodPost); !ok {
			return err
		}
		x := &exchange{server: s, w: w, r: r}
		start := time.Now()
		err := endpoint(x)
		if err == nil && x.answer == nil {
			err = authz.ErrServer
		}
		err = x.spendInAnyCase(err)
		x.record(err, time.Since(start))
		if origins != nil {
			origins(x)
		}
		if err != nil {
			return s.refuse(w, err)
		}
		if x.created {
			return answer(w, http.StatusCreated, x.answer)
		}
		return answer(w, http.StatusOK, x.answer)
	}
}

// read checks how the request came and parses its form.
func (x *exchange) read(context.Context) (err error) {
	if x.server.config.EarlyData(x.r) {
		return authz.ErrTooEarly // RFC 8470 §5.2
	}
	if x.r.URL.RawQuery != "" {
		// Parameters in a URL end up in logs and histories.
		return authz.ErrInvalidRequest.Describe("Parameters belong in the body, not in the URL.")
	}
	x.form, err = readForm(x.w, x.r)
	return err
}

// authenticate finds out which client asks.
func (x *exchange) authenticate(ctx context.Context) error {
	guess, err := x.mayGuess(ctx)
	if err != nil {
		return err
	}
	who, err := x.server.authenticator.Authenticate(ctx, x.r, x.form)
	if err != nil {
		guess.failed(err)
		return err
	}
	x.event.Client = who.ID
	if err := x.checkUnspent(ctx, who); err != nil {
		return err
	}
	x.client = who
	return nil
}

// parameter returns a parameter that must be there.
func (x *exchange) parameter(name string) (string, error) {
	value := x.form.Get(name)
	if value == "" {
		return "", authz.ErrInvalidRequest.Describe("The parameter " + name + " is missing.")
	}
	return value, nil
}

// record tells the recorder how the exchange ended.
func (x *exchange) record(err error, took time.Duration) {
	e := x.event
	e.Outcome, e.Took = authz.Allowed, took
	if err != nil {
		e.Outcome, e.Reason = authz.Failed, authz.ErrServer.Code
		if known := (*authz.Error)(nil); errors.As(err, &known) {
			e.Reason = known.Code
			e.Detail = string(client.RefusalIn(err))
			if known.Status < http.StatusInternalServerError {
				e.Outcome = authz.Denied
			}
		}
	}
	x.server.config.Recorder.Record(x.r.Context(), e)
}

// auditEntry is the event as it is kept in the store, with the change that it tells of.
func (x *exchange) auditEntry() tokenstore.AuditEntry {
	return tokenstore.AuditEntry{
		Type: string(x.event.Type), Outcome: string(authz.Allowed), GrantType: x.event.GrantType,
		Client: x.event.Client, Subject: x.event.Subject, Grant: x.event.Grant, Actor: x.event.Actor,
		Routine: true, // clients cause these all day
	}
}
