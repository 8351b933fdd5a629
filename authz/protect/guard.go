// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Authenticator says who a credential stands for. It is called for every
// request with a credential and is safe for concurrent use.
//
// The error is [authz.ErrInvalidToken], or derived from it, when the credential
// stands for nobody (any more). Every other error is trouble: nothing passes.
type Authenticator interface {
	Authenticate(ctx context.Context, c authz.Credential) (authz.Principal, error)
}

// Clients knows the clients as the serving configuration and the store have
// them now. It is asked for every request with a valid credential and is safe
// for concurrent use.
type Clients interface {
	// Allowed returns the scopes that the client may have at present. The
	// error is [authz.ErrInvalidToken], or derived from it, when there is no
	// such client (any more) or it is disabled. Every other error is trouble.
	Allowed(ctx context.Context, id string) (scope.Set, error)
}

// Config says how a guard works. The zero value of each optional field is its default.
type Config struct {
	// Rows are the table. A request that no row matches is refused.
	Rows []Row
	// Issuer is the authorization server whose credentials are accepted:
	// its issuer identifier (RFC 8414 §2). Required.
	Issuer string
	// Foreign are further authorization servers. The Authenticator must know them,
	// and services are told by the header X-Auth-Issuer which one vouches for a
	// caller: a subject is somebody at that issuer only. Default: none.
	Foreign []Foreign
	// Resource returns the identifier (RFC 9728 §1.2) of the site that a
	// request is for: the audience that tokens must have. It must be derived
	// from configuration, not from what the request says of itself alone. ""
	// means that the site has none; then only the issuer counts. It must be
	// fast. Default: no site has one.
	Resource func(*http.Request) string
	// StrictAudience refuses tokens whose audience is the issuer, which
	// otherwise every resource of that issuer accepts.
	StrictAudience bool
	// Schemes are the authentication schemes accepted here. Default: Bearer, or none
	// where Sessions are accepted.
	Schemes []string
	// Bearer says where else than in the Authorization header a bearer token may
	// be. Default: nowhere.
	Bearer Sources
	// Sessions lets in whoever is signed in at the issuer. Default: nobody.
	Sessions *Sessions
	// HideCookies keeps cookies of ours from the service, and it from setting them, though
	// no Sessions are accepted: as where the issuer has the same host. Default: only with
	// Sessions.
	HideCookies bool
	// Trust are origins whose pages may send requests with a cookie that do
	// something, beside the site's own. Default: none.
	Trust []string
	// Upstream is what the service learns, where a row does not say otherwise.
	Upstream Upstream
	// AllowAmbiguous names ambiguities of paths (see [Ambiguities]) that are
	// not refused as long as every way to read the path meets the same row.
	AllowAmbiguous []string
	// CaseSensitive distinguishes upper and lower case in paths. By default
	// ASCII letters are equal, as many services take them so.
	CaseSensitive bool
	// Realm is named in challenges (RFC 9110 §11.5). Default: none.
	Realm string
	// Challenge are further attributes of challenges, by name: at most
	// [MaxAttributes], none of them one that a standard gives a meaning. Default: none.
	Challenge map[string]string
	// CORS says which web pages' scripts may call what is guarded. Default: none,
	// and nothing is said of it.
	CORS *CORS
	// Page answers refusals of requests by which a browser opens a page, in the
	// place of the JSON that everybody else gets. The headers are set. uri explains
	// the error, or is "". Default: everybody gets JSON.
	Page func(w http.ResponseWriter, r *http.Request, refusal *authz.Error, uri string) error
	// ErrorURI returns a page that explains an error code (RFC 6750 §3), or "".
	// Default: none.
	ErrorURI func(code string) string
	// PassErrors returns refusals (4xx) as *[authz.Error], with the challenge
	// set, where the caller writes the answers itself.
	PassErrors bool
	// TrustedPeer reports whether the peer of a request is a proxy whose
	// forwarding headers may go upstream. Default: no peer is.
	TrustedPeer func(*http.Request) bool
	// Original returns the request target as the client sent it, where
	// something before the guard rewrites requests; "" means RequestURI.
	Original func(*http.Request) string
	// Connection returns the connection that a request of HTTP/1 came on, or nil
	// when that is not known. A request that must end is cut by closing it. Default:
	// not known; then those who handle requests further in get a context that ends,
	// and a ResponseWriter that fails.
	Connection func(*http.Request) net.Conn
	// EarlyData reports whether a request came as TLS early data, which can be
	// replayed (RFC 8470). Default: none does.
	EarlyData func(*http.Request) bool
	// Compile makes the expression of a row's [Conditions] ready. Required where
	// a row has one.
	Compile func(expression string) (Expression, error)

	// Authenticator and Clients are required where a row is Allow or Optional.
	Authenticator Authenticator
	Clients       Clients
	// Sign signs claims, a JSON object that is valid until expires, as a token of
	// type [TypeStatement]. Required where an Upstream has a Token.
	Sign func(ctx context.Context, claims []byte, expires time.Time) (string, error)
	// Recorder is told of every decision. Default: [authz.Discard].
	Recorder authz.Recorder
	// Now is the clock that tokens expire by. Default: [time.Now].
	Now func() time.Time
}

// Guard decides about requests. It is safe for concurrent use.
type Guard struct {
	config  Config
	table   *table
	names   *names
	allowed ambiguity
	scopes  scope.Set // of all rows, for the metadata
	cors    *cors     // nil: nothing is shared
	extra   []attribute
	watch   watch
}

// New checks the configuration and builds the guard. Its errors name the rows
// and fields that a person has to mend.
func New(config Config) (*Guard, error) {
	g := &Guard{config: config, watch: watch{made: time.Now()}}
	c := &g.config
	if c.Recorder == nil {
		c.Recorder = authz.Discard
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Schemes) == 0 && c.Sessions == nil {
		c.Schemes = []string{authz.SchemeBearer}
	}
	for _, s := range c.Schemes {
		if !isToken(s) {
			return nil, fmt.Errorf("accept: %q is no authentication scheme", s)
		}
	}
	if err := checkIssuer(c.Issuer); err != nil {
		return nil, err
	}
	if c.Bearer != (Sources{}) && acceptedScheme(authz.SchemeBearer, c.Schemes) == "" {
		return nil, errors.New("accept: bearer tokens have places, and bearer is not accepted")
	}
	if err := c.Bearer.Validate(); err != nil {
		return nil, fmt.Errorf("accept bearer: %w", err)
	}
	if err := errors.Join(c.Sessions.check(), ValidateTrust(c.Trust)); err != nil {
		return nil, err
	}
	if len(c.Trust) > 0 && c.Sessions == nil && c.Bearer.Cookie == "" {
		return nil, errors.New("csrf trust: no cookie authorizes anything here; accept session, or bearer from a cookie, or leave it out")
	}
	if err := c.checkForeign(); err != nil {
		return nil, err
	}
	var err error
	if g.cors, err = newCORS(c.CORS); err != nil {
		return nil, err
	}
	if g.extra, err = newAttributes(c.Challenge); err != nil {
		return nil, err
	}
	if g.allowed, err = parseAmbiguities(c.AllowAmbiguous); err != nil {
		return nil, err
	}
	g.allowed |= lookalike // letters of real languages: refused only where a reading meets another row
	return g, g.build()
}

func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("issuer %q must be an http or https URL without user, query and fragment", issuer)
	}
	return nil
}

// build makes the rows into the table and collects the names of all headers
// that any of them sets.
func (g *Guard) build() error {
	usual, err := g.newDress(g.config.Upstream)
	if err != nil {
		return err
	}
	if len(g.config.Rows) == 0 {
		return errors.New("the guard has no rows: it would refuse every request; write at least one allow, optional or public row")
	}
	dresses := []*dress{usual}
	entries := make([]*entry, 0, len(g.config.Rows))
	words := []string{}
	for _, row := range g.config.Rows {
		if err := row.Validate(); err != nil {
			if row.Source != "" {
				err = fmt.Errorf("%s: %w", row.Source, err)
			}
			return err
		}
		e := &entry{Row: row, dress: usual}
		if e.pattern, err = parsePattern(row.Path); err != nil {
			return err
		}
		if row.Upstream != nil {
			if e.dress, err = g.newDress(*row.Upstream); err != nil {
				return err
			}
			dresses = append(dresses, e.dress)
		}
		if (row.Verb == Allow || row.Verb == Optional) && (g.config.Authenticator == nil || g.config.Clients == nil) {
			return fmt.Errorf("%s needs somebody to check credentials", row.place())
		}
		if e.expression, err = g.compile(row); err != nil {
			return err
		}
		for _, all := range row.Requirement {
			words = append(words, all...)
		}
		entries = append(entries, e)
	}
	for _, d := range dresses {
		if d.statement != nil && g.config.Sign == nil {
			return errors.New("upstream token needs somebody to sign")
		}
	}
	g.scopes = scope.Of(words...)
	g.names = newNames(identityNames(dresses...))
	g.table, err = newTable(entries, !g.config.CaseSensitive)
	return err
}

// compile makes the expression of a row ready, if it has one.
func (g *Guard) compile(row Row) (Expression, error) {
	if row.Conditions == nil || row.Conditions.Expression == "" {
		return nil, nil
	}
	if g.config.Compile == nil {
		return nil, fmt.Errorf("%s has an expression, and nothing here can read it", row.place())
	}
	expression, err := g.config.Compile(row.Conditions.Expression)
	if err != nil {
		return nil, fmt.Errorf("%s: expression: %w", row.place(), err)
	}
	return expression, nil
}

// ServeHTTP lets the request pass to next, or refuses it. What it returns is
// either next's own error, or an *[authz.Error] with a status of 5xx (with
// PassErrors, of 4xx too) to which no answer has been written yet.
//
// The headers of r are changed in place, whatever the outcome, so that
// nothing that handles the request later sees what the guard removed.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	start := time.Now()
	outer := passageFrom(r.Context())
	g.clean(r, outer)
	outer = outer.carrying() // what else it has put on is off again
	row, refusal := g.route(r)
	if g.cors != nil && row != ownPath {
		var done bool
		if w, done = g.share(w, r); done {
			return nil
		}
	}
	if refusal != nil {
		return g.refuse(w, r, decision{refusal: refusal, start: start})
	}
	d := decision{row: row, start: start}
	if row == ownPath {
		return g.serveOwn(w, r, d)
	}
	g.judge(r, outer, &d)
	if v, ok := g.visit(r, &d); ok {
		return g.begin(w, r, d, v)
	}
	if d.refusal != nil {
		return g.refuse(w, r, d)
	}
	return g.pass(w, r, outer, &d, next)
}

// pass sends the request on.
func (g *Guard) pass(w http.ResponseWriter, r *http.Request, outer *passage, d *decision, next func(http.ResponseWriter, *http.Request) error) error {
	event := authz.Event{Type: authz.EventDecision, Outcome: authz.Allowed, Took: time.Since(d.start)}
	out := g.separate(r)
	p := d.passage
	g.tell(&event, p)
	switch {
	case p != nil:
		out = out.WithContext(p)
	case outer != nil:
		out = out.WithContext(authz.WithPrincipal(r.Context(), nil))
	}
	g.config.Recorder.Record(r.Context(), event)
	if g.hidesCookies() {
		cookies := g.cookies(r)
		cookies.strip(r.Header)
		settled := &settledWriter{ResponseWriter: w, cookies: cookies}
		defer settled.settle() // what comes after the body
		w = settled
	}
	if p != nil && (p.source == fromQuery || p.source.cookie() && p.checked) {
		w.Header().Set("Cache-Control", "private") // RFC 6750 §2.3; shared caches heed only Authorization (RFC 9111 §3.5)
	}
	var err error
	if p != nil && p.checked {
		p.request, p.row, p.since = r, d.row, d.start.Sub(g.watch.made)
		err = g.accompany(w, out, p, next)
	} else {
		err = next(w, out)
	}
	if err != nil && p != nil {
		// Whatever handles the error must not forward them (the headers are
		// the only part of a request that outlives it there).
		if p.dress != nil {
			p.dress.takeOff(r.Header)
		}
		delete(r.Header, "Authorization")
		g.hush(r)
	}
	return err
}
