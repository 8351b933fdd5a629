// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	flowTitle = "Applications of people: refreshes and code flows at 16 and 64 connections"
	pageTitle = "Pages, one after the other"
	// application is the client of this folder's Caddyfile that acts for people, and
	// callback its redirect URI.
	application = "bench-app"
	callback    = "https://app.example.com/callback"
	// verifier and challenge are of RFC 7636, appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// flowConns is at how many connections both are measured.
var flowConns = []int{16, population}

// authorizeQuery is the application's authorization request.
var authorizeQuery = authorizePath + "?" + url.Values{
	"response_type": {"code"}, "client_id": {application}, "redirect_uri": {callback}, "scope": {scopeHeld},
	"code_challenge": {challenge}, "code_challenge_method": {"S256"}, "state": {"a-state-of-the-application"},
}.Encode()

// person is signed in and has given the application access, which holds a refresh
// token.
type person struct {
	*browser
	refreshToken string
	// steps are how long the requests of the person's code flows took, each by itself.
	steps latencies
}

// flows measures what applications do whose users are signed in and have consented.
func (b *bench) flows(ctx context.Context, site *website, pid int, bare *process, bareAddr string) error {
	b.progress("signing %d people in", population)
	everyone, err := site.settle(ctx)
	if err != nil {
		return err
	}
	for _, conns := range flowConns {
		if err := b.flowsAt(ctx, conns, everyone, pid, bare, bareAddr); err != nil {
			return err
		}
	}
	for _, one := range []struct{ key, what, path string }{
		{"page-signin-p99", "the sign-in page: p99", signInPath},
		{"page-consent-p99", "the consent page: p99", authorizeQuery + "&prompt=consent"},
	} {
		s := inLoop(one.what, pid, 1, func(ctx context.Context, i int) error {
			_, err := everyone[i].page(ctx, one.path)
			return err
		})
		var all []sample
		for range b.opts.issuePairs {
			seen, err := s.sample(ctx, b.opts.issueFor)
			if err != nil {
				return err
			}
			all = append(all, seen)
		}
		b.add(pageTitle, figure{
			Key: one.key, What: one.what, Value: single(p99Of(all)), Unit: "ms",
			Detail: fmt.Sprintf("%s/s; CPU %s µs", number(rateOf(all).Median), number(cpuOf(all).Median)),
		})
	}
	return nil
}

// flowsAt measures at one number of connections.
func (b *bench) flowsAt(ctx context.Context, conns int, everyone []*person, pid int, bare *process, bareAddr string) error {
	apply, err := newSide(ctx, "bare endpoint with the same Apply", bare.pid(), formLoad(bareAddr, bareRotate, application), conns)
	if err != nil {
		return err
	}
	defer apply.leave()
	refreshes := inLoop("refreshes", pid, conns, func(ctx context.Context, i int) error { return everyone[i].refresh(ctx) })
	for _, p := range everyone {
		p.steps = nil
	}
	codes := inLoop("code flows", pid, conns, func(ctx context.Context, i int) error {
		_, err := everyone[i].codeFlow(ctx)
		return err
	})
	for _, one := range []struct {
		key, what string
		own, base side
	}{
		{"refresh", "refreshes/s", refreshes, apply},
		{"code", "code flows/s", codes, refreshes},
	} {
		all, err := b.compare(ctx, one.base, []side{one.own}, plan{b.opts.issuePairs, issueSlices, b.opts.issueFor, diskForeignLimit})
		if err != nil {
			return err
		}
		p99 := figure{
			Key: fmt.Sprintf("%s-p99-%d", one.key, conns), Value: single(p99Of(all[0].own())), Unit: "ms",
			What: fmt.Sprintf("%s at %d: p99", one.own.name, conns),
		}
		if steps := stepsOf(everyone); len(steps) > 0 {
			p99.What = fmt.Sprintf("the requests of %s at %d: p99", one.own.name, conns)
			p99.Detail = number(p99.Value.Median) + " ms for both of a flow"
			p99.Value = single(float64(steps.percentile(99)) / 1e6)
		}
		b.add(flowTitle, issueFigure(fmt.Sprintf("%s-%d", one.key, conns), fmt.Sprintf("at %d ÷ %s: %s", conns, one.base.name, one.what), all[0]), p99)
	}
	return nil
}

// stepsOf are how long all requests of code flows took.
func stepsOf(everyone []*person) (all latencies) {
	for _, p := range everyone {
		all = append(all, p.steps...)
	}
	return all
}

// settle has everybody sign in and consent.
func (s *website) settle(ctx context.Context) ([]*person, error) {
	everyone := make([]*person, population)
	_, err := closedLoop(signInConns, 0, func(first int) error {
		for i := first; i < population; i += signInConns {
			own, err := s.newBrowser()
			if err != nil {
				return err
			}
			everyone[i] = &person{browser: own}
			if err := everyone[i].settle(ctx, username(i)); err != nil {
				return err
			}
		}
		return nil
	})
	return everyone, err
}

// settle signs a person in, who then gives the application access.
func (p *person) settle(ctx context.Context, name string) error {
	if err := p.signIn(ctx, name); err != nil {
		return err
	}
	a, err := p.fill(ctx, authorizeQuery, consentPath, url.Values{"do": {"allow"}})
	if err != nil {
		return err
	}
	p.refreshToken, err = p.redeem(ctx, a)
	return err
}

// codeFlow is a whole code flow of somebody whose consent is remembered: two requests,
// two commits. It returns the refresh token.
func (p *person) codeFlow(ctx context.Context) (string, error) {
	begin := time.Now()
	a, err := p.get(ctx, authorizeQuery)
	if err != nil {
		return "", err
	}
	coded := time.Now()
	raw, err := p.redeem(ctx, a)
	p.steps = append(p.steps, coded.Sub(begin), time.Since(coded))
	return raw, err
}

// redeem redeems the code to which an answer leads.
func (p *person) redeem(ctx context.Context, a answer) (string, error) {
	u, err := url.Parse(a.location)
	if err != nil || !u.Query().Has("code") {
		return "", fmt.Errorf("the authorization endpoint answers %d and leads to %q", a.status, a.location)
	}
	return p.site.tokens(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": u.Query()["code"], "redirect_uri": {callback}, "code_verifier": {verifier},
	})
}

// refresh replaces the refresh token.
func (p *person) refresh(ctx context.Context) (err error) {
	p.refreshToken, err = p.site.tokens(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {p.refreshToken}})
	return err
}

// tokens sends a token request of the application, and returns the refresh token.
func (s *website) tokens(ctx context.Context, form url.Values) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.origin+tokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(application, clientSecret)
	a, err := (&browser{site: s, client: http.Client{Transport: s.transport}}).send(r)
	if err != nil {
		return "", err
	}
	var got struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(a.body, &got); err != nil || a.status != http.StatusOK || got.RefreshToken == "" {
		return "", fmt.Errorf("the token endpoint answers %d: %s", a.status, a.body)
	}
	return got.RefreshToken, nil
}
