// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// recently is how long ago the user may have signed in who opens a page on
	// which the means of signing in are changed.
	recently = 10 * time.Minute
	// recentlyPosted is the same for its forms: there is time to fill them in.
	recentlyPosted = 2 * recently
	// recentlyAdmin is how long ago an administrator may have signed in who changes
	// something.
	recentlyAdmin = 15 * time.Minute
)

// visit is one request on its way through the steps of [visit.serve].
type visit struct {
	*Server
	page    *page
	w       http.ResponseWriter
	r       *http.Request
	db      *tokenstore.DB
	account signin.Account
	form    form // what came with a POST
}

// subject is who visits.
func (v *visit) subject() string { return v.account.User.Subject }

// serve is the steps of every request.
func (v *visit) serve() error {
	if err := v.checkMethod(); err != nil {
		return err
	}
	if v.posted() {
		if err := v.checkOrigin(); err != nil {
			return err
		}
	}
	var err error
	if v.db, err = v.config.Store(v.r.Context()); err != nil {
		return err
	}
	if signedIn, err := v.signIn(); !signedIn {
		return err
	}
	if !v.posted() {
		return v.page.show(v)
	}
	do, err := v.openForm()
	if err != nil {
		return err
	}
	return do(v)
}

func (v *visit) posted() bool { return v.r.Method == http.MethodPost }

// checkMethod lets GET, HEAD and POST pass, and of these not what could be replayed.
func (v *visit) checkMethod() error {
	switch v.r.Method {
	case http.MethodGet, http.MethodHead:
		return nil
	case http.MethodPost:
		if v.config.EarlyData(v.r) {
			return refuse(authz.ErrTooEarly) // RFC 8470 §5.2
		}
		return nil
	}
	v.w.Header().Set("Allow", "GET, HEAD, POST") // RFC 9110 §15.5.6
	return refuse(authz.ErrMethodNotAllowed)
}

// signIn finds out who visits. If nobody does who may see the page, it has them
// sent to sign in, or it is an error.
func (v *visit) signIn() (signedIn bool, err error) {
	accounts, err := v.config.SignIn.Accounts(v.r.Context(), v.r)
	if err != nil {
		return false, err
	}
	demand := signin.Demand{Return: v.self(), MaxAge: -1}
	if len(accounts) == 0 {
		return false, v.ask(demand)
	}
	v.account = accounts[0]
	if v.page.admin {
		return v.administers()
	}
	demand.Subject = v.subject()
	switch {
	case v.page.recent && v.posted():
		demand.MaxAge = recentlyPosted
	case v.page.recent:
		demand.MaxAge = recently
	}
	return v.satisfies(demand)
}

// satisfies asks the visitor for whatever is missing from a demand.
func (v *visit) satisfies(d signin.Demand) (bool, error) {
	if v.config.SignIn.Satisfies(v.account, d) {
		return true, nil
	}
	return false, v.ask(d)
}

// administers lets administrators pass who have signed in as they must: with the
// second factor, if they have one, and recently, to change something. For all
// others there is no such page.
func (v *visit) administers() (bool, error) {
	if !v.isAdmin() {
		return false, errNotHere
	}
	demand := signin.Demand{Return: v.self(), MaxAge: -1, Subject: v.subject()}
	if v.posted() {
		demand.MaxAge = recentlyAdmin
	}
	set, err := factor.Load(v.r.Context(), v.db, v.subject())
	if err != nil {
		return false, err
	}
	if set.Demanded() {
		demand.ACR = []string{authz.ACRTwoFactors}
	}
	return v.satisfies(demand)
}

func (v *visit) ask(d signin.Demand) error { return v.config.SignIn.Ask(v.w, v.r, d) }

// isAdmin reports whether the user is in the group of administrators.
func (v *visit) isAdmin() bool {
	return v.config.AdminGroup != "" && slices.Contains(v.account.User.Groups, v.config.AdminGroup)
}

// Parameters of the pages' URLs. There are no others.
const (
	queryDone    = pages.ParameterDone // what was just done: a notice
	queryClient  = "id"                // which client
	querySubject = "subject"           // which user
	querySearch  = "search"
	queryAfter   = "after" // where a list goes on
)

// queryTicket is, on the page for a new password, the one-time link's secret.
const queryTicket = "ticket"

// maxQuery is the length in bytes of the longest value of a parameter that is read.
const maxQuery = 1024

// query returns the value of a parameter, "" if it is not there exactly once.
func (v *visit) query(name string) string {
	values := v.r.URL.Query()[name]
	if len(values) != 1 || len(values[0]) > maxQuery {
		return ""
	}
	return values[0]
}

// self is the path of the page with the parameters that say what it shows, but
// not that something was done.
func (v *visit) self() string {
	q := url.Values{}
	for _, name := range []string{queryClient, querySubject, querySearch, queryAfter} {
		if value := v.query(name); value != "" {
			q.Set(name, value)
		}
	}
	return target(v.page.path, q)
}

// target is a path with a query.
func target(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// to is a path below the prefix with one parameter.
func (s *Server) to(path, name, value string) string {
	return target(s.config.Prefix+path, url.Values{name: {value}})
}

// done answers a POST: the browser goes on to a path, where a notice says what
// was done.
func (v *visit) done(path string, notice pages.Message) error {
	u, err := url.Parse(path)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set(queryDone, string(notice))
	return v.redirect(target(u.Path, q))
}

// redirect has the browser GET a path (RFC 9110 §15.4.4).
func (v *visit) redirect(path string) error {
	v.w.Header().Set("Location", path)
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// notices are those that a URL may ask for.
var notices = []pages.Message{
	pages.MessageSaved, pages.MessageAccessRevoked, pages.MessageSessionEnded, pages.MessageSessionsEnded, pages.MessagePasswordChanged,
	pages.MessagePasskeyAdded, pages.MessagePasskeyRemoved, pages.MessageTOTPAdded, pages.MessageTOTPRemoved, pages.MessageClientDeleted,
	pages.MessageUserDisabled, pages.MessageUserEnabled, pages.MessageUserRemoved, pages.MessageFactorsRemoved, pages.MessageKeysRotated,
}

// shell is what all pages have in common.
func (v *visit) shell() (pages.Shell, error) { return v.shellFor(form{}) }

// shellFor is the same for a page whose forms carry more than who posts them.
func (v *visit) shellFor(f form) (pages.Shell, error) {
	text, err := v.seal(f)
	if err != nil {
		return pages.Shell{}, err
	}
	shell := pages.Shell{
		Form:   pages.Form{Action: v.self(), Handle: text},
		Viewer: pages.Untrusted(v.account.User.DisplayName()),
		Admin:  v.isAdmin(),
	}
	if shell.Developer, err = v.develops(); err != nil {
		return pages.Shell{}, err
	}
	if i := slices.Index(notices, pages.Message(v.query(queryDone))); i >= 0 && !v.posted() {
		shell.Notice = notices[i]
	}
	return shell, nil
}

// render answers with a page.
func (v *visit) render(status int, p pages.Page) error { return v.config.Render(v.w, v.r, status, p) }

// refusal is an answer that says why not.
type refusal struct {
	status  int
	problem pages.Problem
}

// Error is for logs.
func (r *refusal) Error() string { return "refused: " + r.problem.Code }

// refuse is a refusal by an error of the protocol.
func refuse(e *authz.Error) error {
	return &refusal{e.Status, pages.Problem{Code: e.Code, Summary: e.Description}}
}

var (
	// errNotHere is the answer for what does not exist, and for what is somebody else's.
	errNotHere = &refusal{http.StatusNotFound, pages.Problem{Code: codeNotFound}}
	// errExpired: the form is not one of this browser, user and session, or not any more.
	errExpired = &refusal{http.StatusForbidden, pages.Problem{Code: codeExpired}}
	// errConflict: somebody else was faster.
	errConflict = &refusal{http.StatusConflict, pages.Problem{Code: codeConflict, Message: pages.MessageConflict}}
)

// Codes of problems that the protocol has no errors for.
const (
	codeNotFound = "not_found"
	codeExpired  = "expired"
	codeConflict = "conflict"
)

// finish answers refusals, and gives trouble to the caller.
func (v *visit) finish(err error) error {
	var refused *refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
	case errors.Is(err, tokenstore.ErrConflict):
		refused = errConflict
	case errors.As(err, new(*authz.Error)):
		return err
	default:
		return authz.ErrTemporarilyUnavailable.Because(err)
	}
	problem := refused.problem
	problem.Back = v.config.Prefix + pages.PathAccount
	if refused != errNotHere {
		problem.Back = v.self()
	}
	return v.render(refused.status, problem)
}
