// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Rows U14 and U16: whatever a name is written like it is one account, guessing at it
// has to wait, and nobody keeps its user out who uses a browser that is known.
func TestHardeningGuessing(t *testing.T) {
	g := startPeopled(t, strings.Replace(peopled, "oauth2 {", "servers {\n\t\ttrusted_proxies static private_ranges 127.0.0.1/8\n\t}\n\toauth2 {", 1))
	known := signedInPerson(g)
	known.at("/oauth/signout").submit("signout")
	names := []string{"ann", "ANN", " Ann ", "Ａnn", "ａｎｎ", "aNn", "ann", "ANN"}
	slow := 0
	for i, name := range names {
		attacker := newPerson(g)
		r := attacker.at("/oauth/signin").request("signin", "username", name, "password", "guess")
		r.Header.Set("X-Forwarded-For", "203.0.113."+strconv.Itoa(i)) // each from elsewhere
		s := attacker.send(r)
		switch s.status {
		case http.StatusForbidden:
		case http.StatusTooManyRequests:
			slow++
			if n, err := strconv.Atoi(s.header.Get("Retry-After")); err != nil || n < 1 || s.title() != "Sign in" {
				t.Errorf("%s, Retry-After %q: %s", s.title(), s.header.Get("Retry-After"), s.text())
			}
		default:
			t.Errorf("%s: %d %s", name, s.status, s.text())
		}
	}
	if slow == 0 {
		t.Error("no guess had to wait")
	}
	s := known.at("/oauth/signin").signIn("ann", annPassword)
	if s.url.Path != "/oauth/account" {
		t.Errorf("a known browser: %d %s", s.status, s.text())
	}
	if s := newPerson(g).at("/oauth/signin").signIn("bob", "wrong"); s.status != http.StatusForbidden {
		t.Errorf("another account: %d", s.status)
	}
}

// Row U19: passwords are taken whole, and within bounds.
func TestHardeningPasswords(t *testing.T) {
	g := startPeopled(t, peopled)
	long := strings.Repeat("x", 72)
	newPerson(g).signUp("lena", long+"one")
	for name, try := range map[string][2]string{
		"empty": {"ann", ""}, "null": {"ann", "null"}, "the same 72 bytes": {"lena", long + "two"}, "72 bytes": {"lena", long},
		"NUL": {"ann", annPassword + "\x00"}, "more after it": {"ann", annPassword + "\x00x"}, "long": {"ann", strings.Repeat("x", 60_000)},
	} {
		if s := newPerson(g).at("/oauth/signin").signIn(try[0], try[1]); s.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, s.status)
		}
	}
	if s := newPerson(g).at("/oauth/signin").signIn("ann", strings.Repeat("x", 1<<20)); s.status != http.StatusRequestEntityTooLarge {
		t.Errorf("1 MiB: %d", s.status)
	}
	for name, c := range map[string][2]string{
		"short": {"short", "short"}, "two": {"a password", "another one"}, "NUL": {"password\x00x", "password\x00x"},
		"long": {strings.Repeat("x", 2000), strings.Repeat("x", 2000)},
	} {
		s := newPerson(g).at("/oauth/signup").submit("signup", "username", "new"+name, "new_password", c[0], "repeat", c[1])
		if s.status != http.StatusBadRequest || s.title() != "Create an account" {
			t.Errorf("%s: %d %s", name, s.status, s.text())
		}
	}
}

// Row U20: more sign-ins at a time than cores have each their answer, and leave
// everything else alone: calls with a token go on meanwhile.
func TestHardeningManySignIns(t *testing.T) {
	g := start(t, strings.Replace(coded, "oauth2 {", "servers {\n\t\ttrusted_proxies static private_ranges 127.0.0.1/8\n\t}\n\toauth2 {", 1),
		"SECRET="+codeSecret, "REUSE=30s")
	g.canary(annPassword)
	ann := newPerson(g)
	ann.signUp("ann", annPassword)
	access := g.redeem(ann.allow(challenged())).Access
	const many = 100
	requests := make([]*http.Request, many)
	people := make([]*person, many)
	for i := range many {
		people[i] = newPerson(g)
		requests[i] = people[i].at("/oauth/signin").request("signin", "username", "user"+strconv.Itoa(i), "password", "a password")
		requests[i].Header.Set("X-Forwarded-For", "203.0.113."+strconv.Itoa(i))
	}
	var wait sync.WaitGroup
	statuses := make([]int, many)
	for i := range many {
		wait.Go(func() {
			s := people[i].send(requests[i])
			statuses[i] = s.status
			if s.status == http.StatusServiceUnavailable && s.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		})
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		wait.Wait()
	}()
	calls := 0
	for during := true; during; calls++ {
		if status := g.call("api.localhost", "/", access); status != http.StatusOK {
			t.Errorf("call %d, while people sign in: %d", calls, status)
		}
		select {
		case <-over:
			during = false
		default:
		}
	}
	t.Logf("%d calls while %d people signed in", calls, many)
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if count[http.StatusForbidden] == 0 || count[http.StatusForbidden]+count[http.StatusServiceUnavailable] != many {
		t.Errorf("answers by status: %v", count)
	}
}
