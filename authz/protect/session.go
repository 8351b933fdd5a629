// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Sessions has a guard let in whoever is signed in at the issuer. A browser that
// opens a page without a credential is sent there, and comes back to the same URL
// with a cookie for this site alone. Scripts and other clients get the 401 that they
// get anyway.
//
// The cookie counts only where there is no other credential, and for requests with
// an unsafe method, and WebSocket handshakes, only from the same origin. Cookies of
// ours do not go on to the service, and the service cannot set any.
type Sessions struct {
	// Scopes are what whoever is signed in may do here. Default: nothing that needs
	// a scope.
	Scopes scope.Set
	// Visits brings browsers to the issuer and back. Required.
	Visits Visits
}

// Visits brings browsers from a guarded site to the issuer and back. It is safe for
// concurrent use. Its errors are *[authz.Error]s; nothing has been written then.
type Visits interface {
	// Begin sends a browser to the issuer.
	Begin(w http.ResponseWriter, r *http.Request, v Visit) error
	// Arrive answers at [authz.PathSiteSession], where a browser comes back with a
	// ticket: it gets the cookie and is sent on. Who does not meet what Visit asked for
	// is refused there, and does not go round and round.
	Arrive(w http.ResponseWriter, r *http.Request, site string) error
	// Leave answers at [authz.PathSiteSignOut]: the cookie ends, and the browser is
	// sent to where it can sign out at the issuer.
	Leave(w http.ResponseWriter, r *http.Request, site string) error
}

// Visit is what a browser is sent to the issuer for.
type Visit struct {
	// Site is the resource that the guard guards.
	Site string
	// Back is where the browser comes back to, as it asked for it: path and query.
	Back string
	// Subject is the user of whom something better is wanted; "" is whoever is
	// signed in, or signs in.
	Subject string
	// ACRValues are the authentication context classes of which the sign-in must
	// have one. Empty: any.
	ACRValues []string
	// MaxAge is how long ago the sign-in may have been. 0: any time.
	MaxAge time.Duration
}

// renewAfter is the least age at which a site's session is renewed before its end.
const renewAfter = time.Minute

// check returns what is wrong with s.
func (s *Sessions) check() error {
	if s != nil && s.Visits == nil {
		return errors.New("accept session needs somebody who signs users in")
	}
	return nil
}

// classes are the authentication context classes that a sign-in here can have.
var classes = []string{authz.ACROneFactor, authz.ACRTwoFactors}

// visit says whether a request is answered by sending the browser to the issuer: it
// opens a page that somebody has to be signed in for, or signed in better, or whose
// session is half over. Pages that nothing would help stay refused.
func (g *Guard) visit(r *http.Request, d *decision) (Visit, bool) {
	if g.config.Sessions == nil || d.row == nil || d.row.Verb != Allow || !opensPage(r) {
		return Visit{}, false
	}
	v := Visit{Site: g.resource(r), Back: g.original(r)}
	if v.Site == "" {
		return Visit{}, false // nobody would know where to come back to
	}
	if c := d.row.Conditions; c != nil {
		v.MaxAge = time.Duration(c.MaxAge) * time.Second
		for _, class := range c.ACRValues {
			if slices.Contains(classes, class) {
				v.ACRValues = append(v.ACRValues, class)
			}
		}
		if len(c.ACRValues) > 0 && len(v.ACRValues) == 0 {
			return Visit{}, false
		}
	}
	if d.refusal != nil && errors.Is(d.refusal, authz.ErrCredentialRequired) {
		return v, true
	}
	if d.passage == nil || d.passage.source != fromSession || !d.passage.checked {
		return Visit{}, false
	}
	p := &d.passage.principal
	v.Subject = p.Subject
	if d.refusal == nil {
		return v, g.config.Now().Sub(p.IssuedAt) >= max(renewAfter, p.Expires.Sub(p.IssuedAt)/2)
	}
	return v, errors.Is(d.refusal, authz.ErrInsufficientUserAuthentication)
}

// opensPage reports whether a browser opens a page by the request, for a person to
// read, and would show another one in its place. What another site puts into a frame
// would not: it is refused, and nobody is asked for a password in it.
func opensPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || upgrades(r) {
		return false
	}
	mode := r.Header["Sec-Fetch-Mode"]
	if len(mode) == 0 {
		return navigates(r)
	}
	framed := len(r.Header["Sec-Fetch-Dest"]) > 0 && r.Header["Sec-Fetch-Dest"][0] != "document"
	foreign := len(r.Header["Sec-Fetch-Site"]) > 0 && r.Header["Sec-Fetch-Site"][0] == "cross-site"
	return mode[0] == "navigate" && !(framed && foreign)
}

// begin sends the browser to the issuer.
func (g *Guard) begin(w http.ResponseWriter, r *http.Request, d decision, v Visit) error {
	if err := g.config.Sessions.Visits.Begin(w, r, v); err != nil {
		d.refusal = visitError(err)
		return g.refuse(w, r, d)
	}
	if d.refusal == nil {
		d.refusal = authz.ErrCredentialRequired // it has not passed, though it could have
	}
	g.recordRefusal(r, d)
	return nil
}

// stop is a path of the guard's own that browsers come to on their way.
type stop struct {
	method string
	answer func(w http.ResponseWriter, r *http.Request, site string) error
	// about and bare are for [Guard.Explain]: what it is there for, and the status of
	// a request that has nothing with it.
	about string
	bare  int
}

// stop returns the stop at a path; nil where there is none.
func (s *Sessions) stop(path string) *stop {
	switch {
	case s == nil:
		return nil
	case path == authz.PathSiteSession:
		return &stop{http.MethodGet, s.Visits.Arrive, "browsers come back here with a ticket, signed in", http.StatusBadRequest}
	case path == authz.PathSiteSignOut:
		return &stop{http.MethodPost, s.Visits.Leave, "forms of the site's own sign out here", http.StatusSeeOther}
	}
	return nil
}

// visited answers the paths that browsers come to on their way, and reports whether
// r is to one of them.
func (g *Guard) visited(w http.ResponseWriter, r *http.Request, d decision) (done bool, err error) {
	at, site := g.config.Sessions.stop(r.URL.Path), g.resource(r)
	switch {
	case at == nil || site == "":
		return false, nil
	case r.Method != at.method:
		w.Header().Set("Allow", at.method)
		return true, writeJSON(w, r, http.StatusMethodNotAllowed, map[string]string{"error": authz.ErrMethodNotAllowed.Code})
	case g.forgeable(r):
		d.refusal = authz.ErrCrossOrigin
	case g.replayable(r):
		d.refusal = authz.ErrTooEarly
	default:
		if err := at.answer(w, r, site); err != nil {
			d.refusal = visitError(err)
		}
	}
	if d.refusal != nil {
		return true, g.refuse(w, r, d)
	}
	return true, nil
}

// visitError makes an answer of an error of Visits. What is none of ours is trouble.
func visitError(err error) *authz.Error {
	var e *authz.Error
	if errors.As(err, &e) {
		return e
	}
	return authz.ErrTemporarilyUnavailable.Because(err)
}

// current returns p, but nil where it is the cookie of a session that has ended, or is
// another site's. Browsers keep sending such a cookie, and nobody means anything by
// it; so it is none, unlike a token that has ended.
func (g *Guard) current(r *http.Request, p *passage) (*passage, *authz.Error) {
	if p == nil || p.source != fromSession || p.found != present {
		return p, nil
	}
	if !p.checked {
		if refusal := g.authenticate(r.Context(), p); refusal != nil {
			if errors.Is(refusal, authz.ErrInvalidToken) {
				refusal = nil
			}
			return nil, refusal
		}
	}
	if g.admit(r, &p.principal) != nil {
		return nil, nil
	}
	return p, nil
}

// admit judges a session's cookie by this guard. It says what it may do here: what
// it says itself is of a configuration that may be gone.
func (g *Guard) admit(r *http.Request, p *authz.Principal) *authz.Error {
	if g.config.Sessions == nil || p.Issuer != g.config.Issuer || p.Subject == "" || p.ConfirmationKey != "" {
		return authz.ErrInvalidToken
	}
	if !g.config.Now().Before(p.Expires) {
		return errExpired
	}
	site := g.resource(r)
	if site == "" || !slices.ContainsFunc(p.Audience, func(a string) bool { return authz.SameResource(a, site) }) {
		return errAudience
	}
	p.Scopes = g.config.Sessions.Scopes
	return nil
}
