// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"strconv"
	"testing"
)

// Rows U14, U16 and H18: whoever guesses at a password or at a second factor has to wait
// after a reload as before it, which is not forgotten with the configuration it began in.
func TestGuessingAtPeopleOverAReload(t *testing.T) {
	t.Parallel()
	const free = 5 // tries that an account has before the first wait
	g := startScratch(t)
	g.addUser("bob", zoePassword)
	bob := newPerson(g)
	bob.at("/oauth/signin").signIn("bob", zoePassword)
	bob.enrol()
	half := newPerson(g).at("/oauth/signin").signIn("bob", zoePassword).is(http.StatusOK, factorTitle)
	guesses := map[string]func(i int) *screen{
		"password": func(i int) *screen {
			return newPerson(g).at("/oauth/signin").signIn("ann", "guess "+strconv.Itoa(i))
		},
		"second factor": func(i int) *screen { // no code has seven digits
			half = half.submit("code", "code", strconv.Itoa(1_000_000+i))
			return half
		},
	}
	// slowed guesses up to so many times, until a guess has to wait.
	slowed := func(what string, times int) bool {
		t.Helper()
		for i := range times {
			switch s := guesses[what](i); s.status {
			case http.StatusTooManyRequests:
				return true
			case http.StatusForbidden:
			default:
				t.Fatalf("%s: %d %s", what, s.status, s.text())
			}
		}
		return false
	}
	for what := range guesses {
		// Each failure doubles the wait, so that no machine is too slow to meet it.
		if !slowed(what, 2*free) {
			t.Errorf("%s: no guess had to wait", what)
		}
	}
	g.mustReload(fromScratch + "# again\n")
	for what := range guesses {
		// The wait may be over by now. Where it is forgotten, all these are free.
		if !slowed(what, free-1) {
			t.Errorf("%s: a reload forgets the guesses", what)
		}
	}
}
