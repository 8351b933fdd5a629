// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/consent"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// maxQuery is the length in bytes of the longest query of an authorization request.
	// What is made of it stands in the URLs of pages, sealed twice, and all of them have to
	// be shorter than the header that servers read.
	maxQuery = 8 << 10
	// pageLifetime is how long a user has for signing in, and for each page after that.
	pageLifetime = time.Hour
)

// What handles are for.
const (
	forAuthorize = "authorize"
	forConsent   = "consent"
)

// authorization is an authorization request under way (RFC 6749 §4.1.1).
type authorization struct {
	*exchange
	db      *tokenstore.DB
	request authorizationRequest
	// resumed: the request was judged before, and the browser has come back to it.
	resumed bool
	// answerable: client and redirect URI are known to be right, so that errors are
	// told to the client. Before that they are a page (§4.1.2.1).
	answerable bool
	account    signin.Account
	anchors    []tokenstore.Generation // of store and client
	held       *consent.Held
	granted    scope.Set
	// page is the handle of the consent page, if the user was asked, and asked what
	// was in it.
	page  *handle.Opened
	asked consentPage
	// reply is what is sent in the end; nil is a refusal.
	reply func() error
}

// authorize is the authorization endpoint (RFC 6749 §3.1).
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	a := &authorization{exchange: &exchange{server: s, w: w, r: r}}
	a.event.Type = authz.EventAuthorizationRefused
	err := a.take([]step{
		{"read the parameters", a.read},
		{"open the store", a.open},
	})
	for attempt := 1; err == nil && a.reply == nil; attempt++ {
		err = a.take([]step{
			{"take a pushed request", a.takePushed},
			{"find the client", a.findClient},
			{"check where the answer goes", a.checkTarget},
			{"judge the request", a.judge},
			{"find the user", a.findUser},
			{"note the generations", a.note},
			{"recall the consent", a.recall},
			{"ask for consent", a.askConsent},
			{"issue", a.issue},
		})
		if attempt < maxAttempts && errors.Is(err, tokenstore.ErrConflict) {
			err = nil
		}
	}
	return a.finish(err)
}

// take takes the steps in order until one fails or settles the reply.
func (a *authorization) take(steps []step) error {
	for i := range steps {
		if a.reply != nil {
			return nil
		}
		if err := run(a.r.Context(), steps[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// read reads the parameters, or what was made of them when the browser came first.
func (a *authorization) read(ctx context.Context) (err error) {
	if a.server.config.EarlyData(a.r) {
		return authz.ErrTooEarly // RFC 8470 §5.2
	}
	switch a.r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		return a.readPost()
	default:
		a.w.Header().Set("Allow", "GET, HEAD, POST")
		return authz.ErrMethodNotAllowed
	}
	longest := maxQuery
	if strings.HasPrefix(a.r.URL.RawQuery, paramHandle+"=") {
		longest = handle.MaxLength
	}
	if len(a.r.URL.RawQuery) > longest {
		return errLongRequest
	}
	if a.form, err = parseForm(a.r.URL.RawQuery); err != nil {
		return err
	}
	if text := a.form.Get(paramHandle); text != "" {
		return a.resume(ctx, text)
	}
	return nil
}

// readPost reads a request that came as a form (§3.1), and has the browser repeat it
// as a query: without its cookies, which it sends along with no other site's form,
// nobody would be signed in.
func (a *authorization) readPost() (err error) {
	if a.r.URL.RawQuery != "" {
		return authz.ErrInvalidRequest.Describe("Parameters belong in the body of a form, not in its URL.")
	}
	if a.form, err = readForm(a.w, a.r); err != nil {
		return err
	}
	a.form.Del(paramHandle)
	query := a.form.Encode()
	if len(query) > maxQuery {
		return errLongRequest
	}
	a.reply = func() error { return a.redirect(a.server.config.Prefix + pathAuthorize + "?" + query) }
	return nil
}

var errLongRequest = authz.ErrInvalidRequest.Describe("The authorization request is too long.")

// paramHandle is the parameter by which the browser comes back to a request.
const paramHandle = "handle"

// resume opens the request that the browser comes back to.
func (a *authorization) resume(ctx context.Context, text string) error {
	_, err := a.server.config.Handles.Open(ctx, a.r, forAuthorize, text, &a.request)
	if errors.Is(err, handle.ErrInvalid) {
		return errExpired
	}
	a.resumed = true
	return err
}

// errExpired is a page of ours that was open too long, was used, or is another
// browser's.
var errExpired = &authz.Error{Status: http.StatusBadRequest, Code: "expired", Description: "The page has expired, or belongs to another browser."}

// back is where the browser comes back to when it has done something else.
func (a *authorization) back(ctx context.Context) (string, error) {
	keeper := a.server.config.Handles
	text, err := keeper.Seal(ctx, forAuthorize, keeper.Binding(a.w, a.r), pageLifetime, &a.request)
	return a.server.config.Prefix + pathAuthorize + "?" + paramHandle + "=" + text, err
}

func (a *authorization) open(ctx context.Context) (err error) {
	a.db, err = a.server.config.Store(ctx)
	return err
}

// findClient finds the client that is named. It proves nothing here.
func (a *authorization) findClient(ctx context.Context) (err error) {
	if !a.resumed {
		a.request.Client = a.form.Get(authz.ParamClientID)
	}
	if a.request.Client == "" {
		return authz.ErrInvalidRequest.Describe("The parameter client_id is missing.")
	}
	a.client, err = a.server.config.Clients.Named(ctx, a.request.Client)
	if errors.Is(err, client.ErrNotFound) {
		return errUnknownClient
	}
	if err == nil {
		a.event.Client = a.client.ID
	}
	return err
}

var errUnknownClient = &authz.Error{Status: http.StatusBadRequest, Code: authz.ErrInvalidClient.Code, Description: "The client is unknown or disabled."}

// checkTarget makes sure that the answer can be sent somewhere, before anything else
// is looked at: an answer to a wrong place would be the worst one (RFC 9700 §4.11).
func (a *authorization) checkTarget(context.Context) error {
	if a.resumed {
		if !a.client.Redirects(a.request.RedirectURI) {
			return errRedirectURI // it was taken from the client in the meantime
		}
		a.answerable = true
		return nil
	}
	if err := a.request.readTarget(a.form, a.client.Client); err != nil {
		return err
	}
	a.answerable = true
	return nil
}

var errRedirectURI = authz.ErrInvalidRequest.Describe("The redirect_uri is not one that is registered for the client.")

// judge looks at everything else that the request says.
func (a *authorization) judge(context.Context) error {
	if !a.client.MayUse(authz.GrantAuthorizationCode) {
		return authz.ErrUnauthorizedClient
	}
	if a.resumed {
		if !a.client.Scopes.Contains(a.request.Scopes) {
			return authz.ErrInvalidScope
		}
		return nil
	}
	if len(a.request.Pushed) == 0 && (a.server.config.RequirePAR || a.client.RequirePAR) {
		return authz.ErrInvalidRequest.Describe("The request must be pushed first (RFC 9126).")
	}
	a.request.Asked = a.db.Now().UnixMilli()
	return a.server.readRequest(&a.request, a.form, a.client.Client)
}

// demand is what the request wants of the user's sign-in.
func (a *authorization) demand(accounts []signin.Account) signin.Demand {
	q := &a.request
	asked := time.UnixMilli(q.Asked)
	d := signin.Demand{Hint: q.Hint, ACR: q.ACR, MaxAge: -1, Asked: asked, Choose: q.Choose, Application: a.client.DisplayName()}
	if q.MaxAge != nil {
		d.MaxAge = time.Duration(*q.MaxAge) * time.Second
	}
	if q.Login {
		d.Since = asked
	}
	if q.Choose || len(accounts) == 0 {
		return d
	}
	// OpenID Connect Core §3.1.2.1: a hint is no more than that. Where it means somebody
	// who is signed in, that is who goes on; where it does not, the person says who does.
	hinted := slices.IndexFunc(accounts, func(account signin.Account) bool { return account.User.Called(q.Hint) })
	switch {
	case hinted < 0:
		d.Choose = !q.None && (len(accounts) > 1 || q.Hint != "")
	case len(accounts) > 1:
		d.Subject = accounts[hinted].User.Subject
	}
	return d
}

// findUser finds out who is signed in and meets the request's demand, or has somebody
// sign in and come back.
func (a *authorization) findUser(ctx context.Context) error {
	accounts, err := a.server.config.SignIn.Accounts(ctx, a.r)
	if err != nil {
		return err
	}
	demand := a.demand(accounts)
	for _, account := range accounts {
		if a.server.config.SignIn.Satisfies(account, demand) {
			a.account = account
			a.event.Subject = account.User.Subject
			return nil
		}
	}
	if a.request.None {
		return a.refuseSilently(accounts, demand)
	}
	return a.ask(ctx, demand)
}

// ask has the person meet a demand and come back.
func (a *authorization) ask(ctx context.Context, demand signin.Demand) (err error) {
	if demand.Return, err = a.back(ctx); err != nil {
		return err
	}
	a.reply = func() error { return a.server.config.SignIn.Ask(a.w, a.r, demand) }
	return nil
}

// refuseSilently says why a request with prompt=none does not go through (OpenID
// Connect Core §3.1.2.6).
func (a *authorization) refuseSilently(accounts []signin.Account, demand signin.Demand) error {
	demand.ACR = nil
	for _, account := range accounts {
		if a.server.config.SignIn.Satisfies(account, demand) {
			return authz.ErrInteractionRequired // only strength is missing
		}
	}
	return authz.ErrLoginRequired
}

// note takes down the generations of store and client, before anything is decided on
// their strength.
func (a *authorization) note(ctx context.Context) (err error) {
	anchor := tokenstore.ClientAnchorKey(a.client.ID)
	a.anchors, err = a.db.Generations(ctx, a.db.StoreAnchor(), anchor)
	if !errors.Is(err, tokenstore.ErrNotFound) {
		return err
	}
	// The first authorization for a client that stands in the configuration.
	if _, err = a.db.EnsureAnchor(ctx, anchor); err != nil {
		return err
	}
	a.anchors, err = a.db.Generations(ctx, a.db.StoreAnchor(), anchor)
	return err
}

// audience is what the tokens will be for.
func (a *authorization) audience() []string {
	if len(a.request.Resources) > 0 {
		return a.request.Resources
	}
	return []string{a.server.config.Issuer}
}

// recall looks up what the user allows the client.
func (a *authorization) recall(ctx context.Context) (err error) {
	a.held, err = consent.Find(ctx, a.db, a.account.User.Subject, a.anchors[1])
	return err
}

// finish sends the reply, or says why there is none: to the client where that is
// safe, and else to the person.
func (a *authorization) finish(err error) error {
	if err == nil && a.reply == nil {
		err = authz.ErrServer
	}
	if err == nil {
		return a.reply()
	}
	var known *authz.Error
	if !errors.As(err, &known) {
		known = authz.ErrTemporarilyUnavailable.Because(err)
	}
	a.record(known, 0)
	if known.Status >= http.StatusInternalServerError {
		return known
	}
	if a.answerable && !errors.Is(known, errExpired) && a.mayAnswer() {
		return a.tellError(known)
	}
	return a.problem(known)
}

// mayAnswer reports whether an error may be told to the client. One that a user
// registered could lead anybody to its own place by a request with a fault: nobody is,
// before they have signed in (RFC 9700 §4.11.2).
func (a *authorization) mayAnswer() bool {
	if !a.client.SelfRegistered() {
		return true
	}
	accounts, err := a.server.config.SignIn.Accounts(a.r.Context(), a.r)
	return err == nil && len(accounts) > 0
}

// resourceNames returns what people know the resources by: their hosts, else the URIs.
func resourceNames(resources []string) []string {
	names := make([]string, len(resources))
	for i, resource := range resources {
		names[i] = resource
		if u, err := url.Parse(resource); err == nil && u.Host != "" {
			names[i] = u.Host + strings.TrimSuffix(u.Path, "/")
		}
	}
	return names
}
