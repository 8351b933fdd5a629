// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strings"
	"testing"
)

// Ensure that a new token stands alone on standard output, so that $(…) is the
// token, and that what people want to know of it goes to standard error.
func TestANewTokenStandsAloneOnStandardOutput(t *testing.T) {
	address, sent := answering(t, 200, `{"access_token":"co2at_x","token_type":"Bearer","expires":"2026-01-02T03:04:05Z","scopes":["a","b"],"audience":[],"grant":"g1"}`)
	e := command(t, "", "token", "issue", "shop", "--scopes", "a b", "--lifetime", "5m", "--address", address)
	if e.out != "co2at_x\n" {
		t.Errorf("standard output is %q, not the token alone", e.out)
	}
	if want := "Issued a token to shop with a b, valid until 2026-01-02T03:04:05Z (grant g1).\n"; e.err != want {
		t.Errorf("standard error is %q, want %q", e.err, want)
	}
	if want := (request{"POST", "/oauth2/tokens/issue", "application/json", `{"client":"shop","scopes":["a","b"],"lifetime":"5m0s"}`}); (*sent)[0] != want {
		t.Errorf("sent %+v, want %+v", (*sent)[0], want)
	}
}

// Ensure that a token given as an argument is refused, not sent, and not
// repeated: other users have seen it already, and logs need not.
func TestSecretsAreNotTakenFromArguments(t *testing.T) {
	address, sent := answering(t, 200, `{}`)
	for _, verb := range []string{"inspect", "revoke"} {
		e := command(t, "", "token", verb, "co2at_canary", "--address", address)
		if e.code != exitRefused || !strings.Contains(e.err, "pipe it in") {
			t.Errorf("%s: exit code %d, %q", verb, e.code, e.err)
		}
		if strings.Contains(e.err+e.out, "co2at_canary") {
			t.Errorf("%s repeats the token: %q", verb, e.err)
		}
	}
	if len(*sent) > 0 {
		t.Errorf("something was sent: %+v", *sent)
	}
}

// Ensure that a token comes from standard input, with or without "-", and goes
// in the body: Caddy logs the URIs of admin requests.
func TestTokensComeFromStandardInput(t *testing.T) {
	address, sent := answering(t, 200, `{"active":true,"client":"shop","expires":"2026-01-02T03:04:05Z"}`)
	for _, args := range [][]string{{"token", "inspect", "-"}, {"token", "inspect"}} {
		e := command(t, "  co2at_canary\r\n", append(args, "--address", address)...)
		if want := "state    active\nclient   shop\nexpires  2026-01-02T03:04:05Z\n"; e.out != want {
			t.Errorf("standard output is %q, want %q", e.out, want)
		}
	}
	for _, r := range *sent {
		if r.body != `{"token":"co2at_canary"}` || r.uri != "/oauth2/tokens/inspect" {
			t.Errorf("sent %+v", r)
		}
	}
	if len(*sent) != 2 {
		t.Errorf("%d requests were sent, want 2", len(*sent))
	}
	if e := command(t, " \n", "token", "inspect", "-", "--address", address); e.code != exitRefused || !strings.Contains(e.err, "holds no token") {
		t.Errorf("empty input: exit code %d, %q", e.code, e.err)
	}
}

// Ensure that a secret that exists already comes from standard input, is sent
// and is not printed back.
func TestAGivenSecretIsNotPrintedBack(t *testing.T) {
	const secret = "canary-canary-canary-canary-canary"
	address, sent := answering(t, 200, `{"client":{"id":"shop","source":"store"}}`)
	e := command(t, secret+"\n", "client", "add", "shop", "--secret", "-", "--address", address)
	if want := `{"grant_types":["client_credentials"],"id":"shop","secret":"` + secret + `"}`; e.code != exitDone || (*sent)[0].body != want {
		t.Errorf("exit code %d, sent %s, want %s", e.code, (*sent)[0].body, want)
	}
	if e.out != "" || strings.Contains(e.err, "canary") {
		t.Errorf("standard output %q, standard error %q", e.out, e.err)
	}
	e = command(t, "", "client", "rotate-secret", "shop", "--secret", secret, "--address", address)
	if e.code != exitRefused || strings.Contains(e.err, "canary") || len(*sent) != 1 {
		t.Errorf("as an argument: exit code %d, %d requests, %q", e.code, len(*sent), e.err)
	}
}
