// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/guess"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/site"
)

// Sessions says how long people stay signed in at the issuer. Both lifetimes are from
// 1m to 400 days.
type Sessions struct {
	// How long a session lasts that is not used. Default: `24h`.
	Idle caddy.Duration `json:"idle,omitempty"`

	// How long a session lasts, however much it is used. Default: `30d`, or idle where
	// that is longer.
	Absolute caddy.Duration `json:"absolute,omitempty"`
}

// Validate reports what is wrong with the lifetimes.
func (s *Sessions) Validate() error {
	idle, absolute := signin.Lifetimes(time.Duration(s.Idle), time.Duration(s.Absolute))
	return signin.ValidateLifetimes(idle, absolute)
}

// people is what serves people who sign in.
type people struct {
	origin   string
	handles  *handle.Keeper
	passkeys *factor.Passkeys // nil: browsers know none for this issuer
	pages    *pages.Set
	signin   *signin.Service
	visits   *site.Service
}

// buildPeople makes it. It opens nothing. It is always on: without users there is
// nobody whom the pages let in.
func (a *App) buildPeople() error {
	issuer, err := url.Parse(a.Issuer)
	if err != nil {
		return err
	}
	p := &a.people
	p.origin = issuer.Scheme + "://" + issuer.Host
	p.handles = &handle.Keeper{Store: a.store, Secure: issuer.Scheme == "https"}
	p.passkeys, err = factor.NewPasskeys(a.Issuer, issuer.Hostname())
	if err != nil && !errors.Is(err, factor.ErrNoPasskeys) {
		return err
	}
	if p.pages, err = a.buildPages(issuer.Hostname()); err != nil {
		return err
	}
	p.signin, err = signin.New(signin.Config{
		Store:       a.store,
		Directory:   a.users,
		Limits:      a.guesses,
		Passkeys:    p.passkeys,
		Handles:     p.handles,
		Render:      p.pages.Render,
		Origin:      p.origin,
		Prefix:      a.Prefix,
		Idle:        time.Duration(a.Sessions.Idle),
		Absolute:    time.Duration(a.Sessions.Absolute),
		Address:     clientAddress,
		SecretInURL: skipAccessLog,
		EarlyData:   earlyData,
		Recorder:    a.recorder,
	})
	return err
}

// guesses is what slows down guessing, for all configurations alike.
func (a *App) guesses(ctx context.Context) (*guess.Limits, error) {
	if err := a.gate.wait(ctx); err != nil {
		return nil, err
	}
	return a.runtime.guesses, nil
}

// clientAddress is where a request comes from, by what Caddy's trusted_proxies say.
func clientAddress(r *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{} // of a listener without addresses
	}
	return address
}

// assets are the files that pages use.
type assets struct {
	prefix string
	pages  *pages.Set
}

func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	if !strings.HasPrefix(r.URL.Path, a.prefix+pages.PathAssets) {
		return next(w, r)
	}
	a.pages.Assets(w, r)
	return nil
}

// floor are rooms that a request is shown to one after the other, until one of them
// has it as its own.
type floor []room

func (f floor) ServeHTTP(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	if len(f) == 0 {
		return next(w, r)
	}
	return f[0].ServeHTTP(w, r, func(w http.ResponseWriter, r *http.Request) error {
		return f[1:].ServeHTTP(w, r, next)
	})
}
