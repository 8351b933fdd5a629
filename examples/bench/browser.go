// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

const (
	signInPath    = "/oauth/signin"
	consentPath   = "/oauth/consent"
	authorizePath = "/oauth/authorize"
)

// website is the authorization server as people and applications see it.
type website struct {
	origin    string
	transport *http.Transport
}

func newWebsite(addr string) *website {
	return &website{"http://" + addr, &http.Transport{MaxIdleConnsPerHost: population}}
}

func (s *website) leave() { s.transport.CloseIdleConnections() }

// browser is somebody's, with its cookies.
type browser struct {
	site   *website
	client http.Client
}

// newBrowser is one that nobody has seen.
func (s *website) newBrowser() (*browser, error) {
	jar, err := cookiejar.New(nil)
	return &browser{s, http.Client{
		Transport: s.transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, err
}

// answer is what came of a request.
type answer struct {
	status   int
	location string
	body     []byte
}

// get opens a page.
func (b *browser) get(ctx context.Context, path string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.site.origin+path, nil)
	if err != nil {
		return answer{}, err
	}
	return b.send(r)
}

// submit sends a form of our own pages.
func (b *browser) submit(ctx context.Context, path string, form url.Values) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.site.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(r)
}

func (b *browser) send(r *http.Request) (answer, error) {
	resp, err := b.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("Location"), body}, err
}

// formHandle finds the handle in a page.
var formHandle = regexp.MustCompile(`name="handle" value="([^"]+)"`)

// fill opens a page and sends its form, to which another page may have led.
func (b *browser) fill(ctx context.Context, page, to string, form url.Values) (answer, error) {
	shown, err := b.page(ctx, page)
	if err != nil {
		return answer{}, err
	}
	handle := formHandle.FindSubmatch(shown.body)
	if handle == nil {
		return answer{}, fmt.Errorf("%s shows no form of ours", page)
	}
	form.Set("handle", string(handle[1]))
	a, err := b.submit(ctx, to, form)
	if err == nil && a.status != http.StatusSeeOther {
		err = fmt.Errorf("the form for %s is answered by %d", to, a.status)
	}
	return a, err
}

// page opens a page that must be there.
func (b *browser) page(ctx context.Context, path string) (answer, error) {
	a, err := b.get(ctx, path)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%s is answered by %d", path, a.status)
	}
	return a, err
}

// signIn signs somebody in.
func (b *browser) signIn(ctx context.Context, name string) error {
	_, err := b.fill(ctx, signInPath, signInPath, url.Values{"do": {"signin"}, "username": {name}, "password": {password}})
	return err
}
