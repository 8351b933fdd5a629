// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// DefaultIdle is how long a session lasts without being used.
	DefaultIdle = 24 * time.Hour
	// DefaultAbsolute is how long a session lasts, however much it is used.
	DefaultAbsolute = 30 * 24 * time.Hour
	// MinLifetime and MaxLifetime bound both.
	MinLifetime = time.Minute
	MaxLifetime = 400 * 24 * time.Hour // browsers keep no cookie for longer (RFC 6265bis §5.5)

	// MaxAccounts is how many users can be signed in in one browser. The session of
	// whoever was not active for longest ends when one more signs in.
	MaxAccounts = 10
	// MaxSessions is how many sessions a user has. One more ends the one that was not
	// used for longest: whoever knows the password and signs in again and again cannot
	// make them too many to be ended at once.
	MaxSessions = 100

	// seenEvery is how old LastSeen may get before a request of the session renews it.
	seenEvery = 5 * time.Minute
)

// Config is what a [Service] needs to know. It must not be changed afterwards.
type Config struct {
	// Store returns the open store, waiting for it a bounded time. Required.
	Store func(context.Context) (*tokenstore.DB, error)
	// Directory knows the users and their passwords. Required.
	Directory *user.Directory
	// Passkeys judges passkeys. nil: none are offered.
	Passkeys *factor.Passkeys
	// Limits returns what slows down guessing, waiting as Store does. Required.
	Limits func(context.Context) (*guess.Limits, error)
	// Handles keeps what is between two pages. Required.
	Handles *handle.Keeper
	// Render writes a page. Required.
	Render func(w http.ResponseWriter, r *http.Request, status int, page pages.Page) error
	// Origin is scheme and host of the issuer, as browsers write them. Required.
	Origin string
	// Prefix is the path below which the pages are. Required.
	Prefix string
	// Idle and Absolute are how long a session lasts unused, and at all; see
	// [ValidateLifetimes]. Default: [DefaultIdle] and [DefaultAbsolute].
	Idle, Absolute time.Duration
	// Address returns where a request comes from. Default: the other end of its
	// connection.
	Address func(*http.Request) netip.Addr
	// SecretInURL is told of each request whose URL should not be logged, before the
	// answer. Default: nobody is told.
	SecretInURL func(*http.Request)
	// EarlyData reports whether a request came as TLS early data, which can be
	// replayed (RFC 8470). Default: none does.
	EarlyData func(*http.Request) bool
	// Recorder is told what happens. Default: authz.Discard.
	Recorder authz.Recorder
}

// Service knows who is signed in, and serves the pages for that. It is safe for
// concurrent use.
type Service struct {
	config Config
}

// Lifetimes puts the defaults in the place of zeros.
func Lifetimes(idle, absolute time.Duration) (time.Duration, time.Duration) {
	switch {
	case idle == 0 && absolute == 0:
		return DefaultIdle, DefaultAbsolute
	case idle == 0:
		return min(DefaultIdle, absolute), absolute
	case absolute == 0:
		return idle, max(DefaultAbsolute, idle)
	}
	return idle, absolute
}

// ValidateLifetimes reports what is wrong with how long sessions last.
func ValidateLifetimes(idle, absolute time.Duration) error {
	for _, d := range []time.Duration{idle, absolute} {
		if d < MinLifetime || d > MaxLifetime {
			return fmt.Errorf("sessions last from %v to %v, not %v", MinLifetime, MaxLifetime, d)
		}
	}
	if idle > absolute {
		return fmt.Errorf("sessions cannot last longer unused (idle, %v) than at all (absolute, %v)", idle, absolute)
	}
	return nil
}

// New checks the configuration and returns a service for it. It opens and reads
// nothing.
func New(c Config) (*Service, error) {
	c.Idle, c.Absolute = Lifetimes(c.Idle, c.Absolute)
	if c.Address == nil {
		c.Address = remote
	}
	if c.SecretInURL == nil {
		c.SecretInURL = func(*http.Request) {}
	}
	if c.EarlyData == nil {
		c.EarlyData = func(*http.Request) bool { return false }
	}
	if c.Recorder == nil {
		c.Recorder = authz.Discard
	}
	if c.Store == nil || c.Limits == nil || c.Directory == nil || c.Handles == nil || c.Render == nil || c.Origin == "" || c.Prefix == "" {
		return nil, errors.New("signin: Config needs Store, Limits, Directory, Handles, Render, Origin and Prefix")
	}
	if err := ValidateLifetimes(c.Idle, c.Absolute); err != nil {
		return nil, err
	}
	return &Service{config: c}, nil
}

// Accounts returns who is signed in in the browser that sends r and may act at
// present as far as is known here (see [user.Directory.Known]), the active one first.
// Before something that gives access is made for one of them, see [Service.Confirm]. An
// error is trouble, and says nothing about the browser.
func (s *Service) Accounts(ctx context.Context, r *http.Request) ([]Account, error) {
	db, err := s.config.Store(ctx)
	if err != nil {
		return nil, err
	}
	b, err := s.browser(ctx, db, r)
	if err != nil {
		return nil, trouble(err)
	}
	var accounts []Account
	for _, seat := range b.seats {
		a, err := s.account(ctx, db, seat, s.network(r))
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, trouble(err)
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// account returns who has a seat. The error is one of which absent is true when
// the session or the user is no longer good.
func (s *Service) account(ctx context.Context, db *tokenstore.DB, seat seat, address string) (Account, error) {
	session, err := s.session(ctx, db, seat.Subject, seat.Session)
	if err != nil {
		return Account{}, err
	}
	u, generation, err := s.config.Directory.Known(ctx, seat.Subject)
	if err != nil {
		return Account{}, err
	}
	s.seen(ctx, db, session, address)
	anchors := []tokenstore.Generation{generation}
	for _, g := range session.anchors {
		if g.Key == tokenstore.SessionAnchorKey(session.ID) {
			anchors = append(anchors, g)
		}
	}
	return Account{User: u, Session: session, Anchors: anchors, Chosen: time.UnixMilli(seat.Chosen), now: db.Now()}, nil
}

// Confirm reports whether the source of an account still has it, which costs a question
// there. Where it has not, the session ends, and the browser's next request finds
// nobody. An error is trouble.
func (s *Service) Confirm(ctx context.Context, a Account) (bool, error) {
	_, _, err := s.config.Directory.Present(ctx, a.User.Subject)
	switch {
	case err == nil:
		return true, nil
	case !absent(err):
		return false, trouble(err)
	}
	err = s.End(ctx, a.User.Subject, a.Session.ID, cmp.Or(a.User.Source, a.User.Subject))
	if err != nil && !absent(err) && !errors.Is(err, tokenstore.ErrConflict) {
		return false, trouble(err)
	}
	return false, nil
}

// absent reports whether an error says that something is not there, or not any more.
func absent(err error) bool {
	return errors.Is(err, tokenstore.ErrNotFound) || errors.Is(err, user.ErrNotFound)
}

// trouble makes an error of another room one that is answered with 503.
func trouble(err error) error {
	if errors.As(err, new(*authz.Error)) {
		return err
	}
	return authz.ErrTemporarilyUnavailable.Because(err)
}

// note tells of what happened.
func (s *Service) note(ctx context.Context, e authz.Event) { s.config.Recorder.Record(ctx, e) }
