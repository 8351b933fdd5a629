// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"testing"
)

// peopled is an authorization server at which people make their accounts themselves.
const peopled = `{
	import {$HARNESS}
	oauth2 {
		issuer http://localhost:{$PORT}
		users {
			argon2id {
				memory 8192
				time 1
			}
			sign_up
		}
	}
}

http://localhost:{$PORT} {
	oauth2_server
}
`

const annPassword = "correct horse battery"

// startPeopled runs it with one account, ann.
func startPeopled(t testing.TB, caddyfile string, env ...string) *gateway {
	t.Helper()
	g := start(t, caddyfile, env...)
	g.canary(annPassword)
	newPerson(g).signUp("ann", annPassword)
	return g
}

// signUp makes an account, and is signed in.
func (p *person) signUp(username, password string) *screen {
	p.g.t.Helper()
	s := p.at("/oauth/signup").submit("signup", "username", username, "new_password", password, "repeat", password)
	if s.url.Path != "/oauth/account" {
		p.g.t.Fatalf("signing up leads to %s, %d: %s", s.url, s.status, s.text())
	}
	return s
}

// Ensure that a person signs up, out, and in again, and comes to the account page.
func TestSignIn(t *testing.T) {
	t.Parallel()
	g := startPeopled(t, peopled)
	p := newPerson(g)
	s := p.at("/oauth/signin").is(http.StatusOK, "Sign in").signIn(" ANN ", annPassword)
	if s.url.Path != "/oauth/account" {
		t.Fatalf("signed in to %s", s.url)
	}
}
