// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	users "github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	signInTitle = "Sign-ins (÷ argon2id alone)"
	signInPath  = "/oauth/signin"
	// signInSlices is how many slices a pair has of each side. They are longer than those
	// of issuance by signInLonger: a hash takes as long as a hundred tokens.
	signInSlices, signInLonger = 2, 4
	// people is how many sign in at a time, each to an account of their own: more at one
	// account would be taken for guessing.
	people = 8
	// password is everybody's.
	password = "a password that only the benchmark uses"
)

// signIns compares signing in, with its page, its form and its commit, with the hash
// that each sign-in needs.
func (b *bench) signIns(ctx context.Context) error {
	dir := filepath.Join(b.dir, "signin")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	g, err := b.newGateway(ctx, gatewayOptions{store: filepath.Join(dir, "gateway.db"), upstream: "127.0.0.1:9"})
	if err != nil {
		return err
	}
	if err := addPeople(ctx, g.vault); err != nil {
		return err
	}
	if _, err := b.start(ctx, g, g.refuses); err != nil {
		return err
	}
	defer g.stop()
	p, addr, err := b.startBare(ctx, dir, 0)
	if err != nil {
		return err
	}
	defer p.stop()
	crowd := newVisitors(g.tokens)
	defer crowd.leave()
	own := side{name: "sign-ins", pid: g.pid(), run: crowd.run}
	base := side{name: "argon2id alone", pid: p.pid(), run: bareLoop(addr, bareHash, 1)}
	all, err := b.compare(ctx, base, []side{own}, plan{b.opts.issuePairs, signInSlices, signInLonger * b.opts.issueFor, diskForeignLimit})
	if err != nil {
		return errors.Join(err, errors.New(g.lastWords()), errors.New(p.lastWords()))
	}
	b.add(signInTitle, issueFigure("signin", fmt.Sprintf("%d people at a time: sign-ins/s", people), all[0]))
	return nil
}

// addPeople puts the accounts into a store that is to be served.
func addPeople(ctx context.Context, o vaultOptions) (err error) {
	v, err := openVault(ctx, o, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	directory, err := users.New(users.Config{
		Store:    func(context.Context) (*tokenstore.DB, error) { return v.db, nil },
		Recorder: authz.Discard,
	})
	if err != nil {
		return err
	}
	for i := range people {
		if _, err := directory.Create(ctx, "bench", users.Addition{Username: username(i), Password: password}); err != nil {
			return fmt.Errorf("adding people: %w", err)
		}
	}
	return nil
}

func username(i int) string { return fmt.Sprintf("person-%d", i) }

// visitors sign in again and again, each time with a browser that nobody has seen.
type visitors struct {
	origin    string
	transport *http.Transport
}

func newVisitors(addr string) *visitors {
	return &visitors{"http://" + addr, &http.Transport{MaxIdleConnsPerHost: people}}
}

func (v *visitors) leave() { v.transport.CloseIdleConnections() }

// run lets everybody sign in for about the duration.
func (v *visitors) run(ctx context.Context, duration time.Duration) (latencies, time.Duration, error) {
	names := make(chan string, people)
	for i := range people {
		names <- username(i)
	}
	seen, err := closedLoop(people, duration, func() error {
		name := <-names
		defer func() { names <- name }()
		return v.signIn(ctx, name)
	})
	return seen.Latencies, seen.Took, err
}

// formHandle finds the handle in a page.
var formHandle = regexp.MustCompile(`name="handle" value="([^"]+)"`)

// signIn opens the page and sends its form.
func (v *visitors) signIn(ctx context.Context, name string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := http.Client{
		Transport: v.transport, Jar: jar, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	status, page, err := v.ask(ctx, &browser, http.MethodGet, "")
	if err != nil {
		return err
	}
	handle := formHandle.FindStringSubmatch(page)
	if status != http.StatusOK || handle == nil {
		return fmt.Errorf("the sign-in page is answered by %d, without a form of ours", status)
	}
	form := url.Values{"do": {"signin"}, "handle": {handle[1]}, "username": {name}, "password": {password}}
	if status, _, err = v.ask(ctx, &browser, http.MethodPost, form.Encode()); err == nil && status != http.StatusSeeOther {
		err = fmt.Errorf("signing in is answered by %d", status)
	}
	return err
}

// ask sends a request as a browser does, and reads the answer.
func (v *visitors) ask(ctx context.Context, browser *http.Client, method, form string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, v.origin+signInPath, strings.NewReader(form))
	if err != nil {
		return 0, "", err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	answer, err := browser.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}
