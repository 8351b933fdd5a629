// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// ending is what a command leaves behind.
type ending struct {
	out, err string
	code     int
}

// command runs `caddy oauth2 args…` with stdin as its standard input.
func command(t *testing.T, stdin string, args ...string) ending {
	t.Helper()
	oauth2 := &cobra.Command{Use: "oauth2"}
	buildCommand(oauth2)
	root := &cobra.Command{Use: "caddy", SilenceUsage: true}
	root.AddCommand(oauth2)
	root.SetArgs(append([]string{"oauth2"}, args...))
	var out, stderr bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&stderr)
	e := ending{code: exitDone}
	if err := root.Execute(); err != nil {
		e.code = exitRefused
		fmt.Sscanf(err.Error(), "exiting with status %d", &e.code)
	}
	e.out, e.err = out.String(), stderr.String()
	return e
}

// request is what a command sent to the admin endpoint.
type request struct{ method, uri, kind, body string }

// fakeAdmin is an admin endpoint that answers every request with what answer
// says, and keeps what it was sent.
func fakeAdmin(t *testing.T, answer func(r request) (status int, body string)) (address string, sent *[]request) {
	t.Helper()
	sent = new([]request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		req := request{r.Method, r.RequestURI, r.Header.Get("Content-Type"), string(body)}
		*sent = append(*sent, req)
		status, text := answer(req)
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), sent
}

// answering is a fakeAdmin that always answers the same.
func answering(t *testing.T, status int, body string) (address string, sent *[]request) {
	t.Helper()
	return fakeAdmin(t, func(request) (int, string) { return status, body })
}

// Ensure that --json prints one JSON document and nothing beside it.
func TestJSONIsOneDocument(t *testing.T) {
	address, _ := answering(t, 200, `{"client":{"id":"shop","source":"store","auth_method":"client_secret_basic","grant_types":["client_credentials"],"scopes":[]},"secret":"co2cs_x"}`)
	e := command(t, "", "client", "add", "shop", "--json", "--address", address)
	var document clientSecret
	if err := json.Unmarshal([]byte(e.out), &document); err != nil {
		t.Fatalf("standard output is no JSON document: %v\n%s", err, e.out)
	}
	if document.Secret != "co2cs_x" || document.Client.ID != "shop" {
		t.Errorf("the document is %+v", document)
	}
	if strings.Contains(e.err, "co2cs_x") {
		t.Errorf("the secret is on standard error too: %s", e.err)
	}
}

// Ensure that exit codes tell scripts what to do next, and that the message is
// the endpoint's own.
func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		code   int
		says   string
	}{
		"refused":             {409, `{"error":"edit the Caddyfile"}`, exitRefused, "caddy oauth2: edit the Caddyfile\n"},
		"not found":           {404, `{"error":"there is no client \"shop\""}`, exitNotFound, "there is no client"},
		"trouble":             {503, `{"error":"try again"}`, exitTrouble, "try again"},
		"Caddy without us":    {404, "404 page not found\n", exitNoCaddy, "built without caddy-oauth2"},
		"something else":      {502, "<html>", exitTrouble, "not the admin endpoint"},
		"something, politely": {200, "<html>", exitTrouble, "not the admin endpoint"},
		"a redirect":          {307, "", exitTrouble, "not the admin endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := answering(t, c.status, c.body)
			e := command(t, "", "client", "show", "shop", "--address", address)
			if e.code != c.code || !strings.Contains(e.err, c.says) {
				t.Errorf("exit code %d, %q; want %d and %q", e.code, e.err, c.code, c.says)
			}
			if e.out != "" {
				t.Errorf("standard output is %q", e.out)
			}
		})
	}
}

// Ensure that an endpoint that does not answer, or that the configuration turns
// off, is told with the way out.
func TestNoAdminEndpointIsToldWithTheWayOut(t *testing.T) {
	const address = "127.0.0.1:1" // where nobody is, nor comes meanwhile
	e := command(t, "", "stats", "--address", address)
	if e.code != exitNoCaddy || !strings.Contains(e.err, "connection refused") || !strings.Contains(e.err, "--address") {
		t.Errorf("exit code %d, %q", e.code, e.err)
	}

	config := filepath.Join(t.TempDir(), "caddy.json")
	if err := os.WriteFile(config, []byte(`{"admin":{"disabled":true}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	e = command(t, "", "stats", "--config", config)
	if e.code != exitNoCaddy || !strings.Contains(e.err, "turns the admin endpoint off") {
		t.Errorf("exit code %d, %q", e.code, e.err)
	}
	if e = command(t, "", "stats", "--config", config, "--address", address); e.code != exitRefused {
		t.Errorf("both --config and --address: exit code %d, %q", e.code, e.err)
	}
	if e = command(t, "", "stats", "--address", "fd/3"); e.code != exitRefused || !strings.Contains(e.err, "unix socket") {
		t.Errorf("fd/3: exit code %d, %q", e.code, e.err)
	}
}

// Ensure that the configuration's admin address is used, here a unix socket
// with the permissions that Caddy lets an address end in.
func TestTheAdminAddressIsFoundInTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "admin.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"keys":[{"use":"seal","fingerprint":"ab12","state":"active"}]}`)
	})}}
	server.Start()
	defer server.Close()
	config := filepath.Join(dir, "caddy.json")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{"admin":{"listen":"unix/%s|0600"}}`, socket), 0o600); err != nil {
		t.Fatal(err)
	}
	e := command(t, "", "key", "list", "--config", config)
	if want := "USE   FINGERPRINT  ALG  STATE   SINCE  UNTIL\nseal  ab12         -    active  -      -\n"; e.out != want {
		t.Errorf("standard output is %q, want %q; %s", e.out, want, e.err)
	}
}

// Ensure that what came from elsewhere cannot steer a terminal or forge a line.
func TestNothingSteersTheTerminal(t *testing.T) {
	address, _ := answering(t, 200, `{"clients":[{"id":"shop","source":"store","name":"a\u001b[2Jb\nforged\tcell","auth_method":"none","grant_types":[],"scopes":["x"]}]}`)
	e := command(t, "", "client", "list", "--address", address)
	want := "ID    SOURCE  STATE    LAST USED  GRANT TYPES  SCOPES  NAME\n" +
		"shop  store   enabled  -          -            x       a�[2Jb�forged�cell\n"
	if e.out != want {
		t.Errorf("standard output is\n%s, want\n%s", e.out, want)
	}
	address, _ = answering(t, 409, `{"error":"no\u001b]0;title\u0007"}`)
	if e := command(t, "", "client", "show", "shop", "--address", address); strings.ContainsAny(e.err, "\x1b\x07") {
		t.Errorf("standard error is %q", e.err)
	}
}

// Ensure that an empty list is no line on standard output, and a hint beside it.
func TestAnEmptyListIsEmpty(t *testing.T) {
	address, _ := answering(t, 200, `{"clients":[]}`)
	e := command(t, "", "client", "list", "--address", address)
	if e.out != "" || !strings.Contains(e.err, "client add") {
		t.Errorf("standard output %q, standard error %q", e.out, e.err)
	}
	if e := command(t, "", "client", "list", "--json", "--address", address); strings.Join(strings.Fields(e.out), "") != `{"clients":[]}` {
		t.Errorf("as JSON: %q", e.out)
	}
}

// Ensure that an edit sends what its flags name, an empty value among it, and
// nothing else.
func TestAnEditSendsWhatItsFlagsName(t *testing.T) {
	address, sent := answering(t, 200, `{"id":"a/b","source":"store","auth_method":"none","grant_types":[],"scopes":[]}`)
	e := command(t, "", "client", "edit", "a/b", "--scopes", "", "--disabled=false", "--access-token-lifetime", "1d", "--address", address)
	if e.code != exitDone {
		t.Fatalf("exit code %d, %q", e.code, e.err)
	}
	want := request{"POST", "/oauth2/clients/a%2Fb/edit", "application/json", `{"access_token_lifetime":"24h0m0s","disabled":false,"scopes":[]}`}
	if (*sent)[0] != want {
		t.Errorf("sent %+v, want %+v", (*sent)[0], want)
	}
	if e := command(t, "", "client", "edit", "shop", "--address", address); e.code != exitRefused || len(*sent) != 1 {
		t.Errorf("an edit of nothing: exit code %d, %d requests, %q", e.code, len(*sent), e.err)
	}
	if e := command(t, "", "client", "edit", "shop", "--access-token-lifetime", "soon", "--address", address); e.code != exitRefused || len(*sent) != 1 {
		t.Errorf("a lifetime that is none: exit code %d, %d requests, %q", e.code, len(*sent), e.err)
	}
}

// Ensure that lists are fetched page by page to the limit, and that the end of
// a list cut short says how to go on.
func TestListsFollowTheirPages(t *testing.T) {
	address, sent := fakeAdmin(t, func(r request) (int, string) {
		switch {
		case strings.Contains(r.uri, "cursor=two"):
			return 200, `{"grants":[],"cursor":"three"}`
		case strings.Contains(r.uri, "cursor=three"):
			return 200, `{"grants":[{"id":"g2","grant_type":"client_credentials","client":"shop","scopes":[],"issued_at":"2026-01-01T00:00:00Z"}],"cursor":"four"}`
		case strings.Contains(r.uri, "cursor=four"):
			return 200, `{"grants":[]}`
		}
		return 200, `{"grants":[{"id":"g1","grant_type":"client_credentials","client":"shop","scopes":[],"issued_at":"2026-01-01T00:00:00Z"}],"cursor":"two"}`
	})
	e := command(t, "", "grant", "list", "--client", "shop", "--limit", "2", "--address", address)
	if strings.Count(e.out, "\n") != 3 || !strings.Contains(e.err, "--cursor four") {
		t.Errorf("standard output\n%s, standard error %q", e.out, e.err)
	}
	if last := (*sent)[len(*sent)-1].uri; last != "/oauth2/grants?client=shop&cursor=three&limit=1" {
		t.Errorf("the last request was for %s", last)
	}
	e = command(t, "", "grant", "list", "--limit", "0", "--address", address)
	if strings.Count(e.out, "\n") != 3 || e.err != "" {
		t.Errorf("all: standard output\n%s, standard error %q", e.out, e.err)
	}
}

// Ensure that a rotation goes on until it is finished, and that an interrupted one says how to go on.
func TestARotationGoesOnUntilItIsFinished(t *testing.T) {
	steps := []string{`{"resealed":100,"remaining":50}`, `{"resealed":50,"remaining":0,"finished":true}`}
	n := 0
	address, _ := fakeAdmin(t, func(request) (int, string) { n++; return 200, steps[n-1] })
	e := command(t, "", "key", "rotate", "--seal", "--address", address)
	want := "Done: everything is sealed under the first key (150 values anew). Older keys can be taken out of seal_key.\n"
	if e.err != want || e.out != "" {
		t.Errorf("standard error %q, want %q; standard output %q", e.err, want, e.out)
	}

	n = 0
	address, _ = fakeAdmin(t, func(request) (int, string) {
		if n++; n > 1 {
			return 503, `{"error":"the disk is full"}`
		}
		return 200, steps[0]
	})
	e = command(t, "", "key", "rotate", "--seal", "--address", address)
	if e.code != exitTrouble || !strings.Contains(e.err, "Stopped after 100 values") || !strings.Contains(e.err, "the disk is full") {
		t.Errorf("exit code %d, %q", e.code, e.err)
	}
}

// Ensure that a word that is no command is an error, not a page of help that a
// script takes for success.
func TestUnknownWordsAreErrors(t *testing.T) {
	for _, args := range [][]string{{"clent"}, {"client", "lst"}, {"token", "issue"}, {"stats", "now"}, {"client", "show", "x", "--jsn"}} {
		if e := command(t, "", args...); e.code != exitRefused || e.out != "" || e.err == "" {
			t.Errorf("%v: exit code %d, standard output %q, standard error %q", args, e.code, e.out, e.err)
		}
	}
	if e := command(t, "", "client", "lst"); !strings.Contains(e.err, "did you mean list?") {
		t.Errorf("nothing is suggested: %q", e.err)
	}
	if e := command(t, "", "explain", "GET"); !strings.Contains(e.err, "needs URL") {
		t.Errorf("what is missing is not said: %q", e.err)
	}
}

// Ensure that every command's help has an example that runs a command there is.
func TestEveryCommandHasAnExampleThatExists(t *testing.T) {
	root := &cobra.Command{Use: "caddy"}
	oauth2 := &cobra.Command{Use: "oauth2"}
	root.AddCommand(oauth2)
	buildCommand(oauth2)
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			visit(child)
		}
		if cmd.HasSubCommands() {
			return
		}
		if !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s: no example shows it: %q", cmd.CommandPath(), cmd.Example)
		}
		for _, line := range strings.Split(cmd.Example, "\n") {
			_, rest, found := strings.Cut(line, "caddy ")
			if !found {
				continue
			}
			if named, _, err := root.Find(strings.Fields(rest)); err != nil || !named.Runnable() {
				t.Errorf("%s: the example %q runs no command: %v", cmd.CommandPath(), line, err)
			}
		}
	}
	visit(oauth2)
}

// Ensure that an error of ours is told once.
func TestErrorsAreToldOnce(t *testing.T) {
	address, _ := answering(t, 409, `{"error":"edit the Caddyfile"}`)
	e := command(t, "", "client", "remove", "shop", "--address", address)
	if n := strings.Count(e.err, "edit the Caddyfile"); n != 1 {
		t.Errorf("it is told %d times: %q", n, e.err)
	}
}
