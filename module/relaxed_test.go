// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/logging" // log files
)

// Ensure that everything configured less strict than the defaults is named in
// the log at start and by a command.
func TestRelaxedSettingsAreListed(t *testing.T) {
	dir := t.TempDir()
	logFile := filepath.Join(dir, "log")
	config := strings.NewReplacer(
		`{"level": "ERROR"}`, fmt.Sprintf(`{"level": "WARN", "writer": {"output": "file", "filename": %q}}`, logFile),
		`"issuer": "https://auth.example.com"`, `"issuer": "http://auth.example.com", "insecure_http": true, "scope_policy": "filter", "assertion_audience": "token_url", "developers": {"who": "everybody"}`,
		`"secret": ["written-written-written-written-written"]`, `"secret": ["short"], "weak_secret": true`,
		`"resource": "https://api.example.com"`, `"resource": "https://api.example.com", "allow_ambiguous": ["semicolon"], "upstream": {"keep_credential": true},
			"bearer": {"query": true, "cookie": "token"}, "csrf_trust": ["https://app.example.com"]`,
		`"requirement": [["orders:read"]]}`, `"requirement": [["orders:read"]], "upstream": {"keep_credential": true}}`,
		`"scopes": ["orders:read"]}]`, `"scopes": ["orders:read"]},
			{"id": "legacy", "secret": ["legacy-legacy-legacy-legacy-legacy"], "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": ["https://legacy.example.com/callback"],
			 "scopes": ["orders:read"], "pkce": "plain", "refresh_rotation": "off"}]`,
	).Replace(adminConfig(dir))
	runCaddy(t, config)
	o := operator{t, adminEndpoint(t)}

	var s statsView
	if err := json.Unmarshal([]byte(o.does("", "stats", "--json")), &s); err != nil {
		t.Fatal(err)
	}
	logged, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	shown := o.does("", "stats")
	site := "oauth2_protect of https://api.example.com: "
	for _, setting := range []string{
		"insecure_http: tokens may travel in the clear",
		"scope_policy filter: clients may get less than they ask for",
		"assertion_audience token_url: another server can pass on assertions that clients make for it",
		"developers everybody: whoever has an account registers clients, and asks others for their consent",
		"client written: weak_secret",
		"client legacy: pkce plain: whoever gets hold of a code may be able to redeem it",
		"client legacy: refresh_rotation off: a stolen refresh token is not noticed",
		site + "accept bearer query: URLs with tokens end up in histories and logs",
		site + "accept bearer cookie: browsers send it along with requests of other sites",
		site + "csrf trust https://app.example.com: pages there act here for whoever looks at them",
		site + "allow_ambiguous semicolon",
		site + "keep_credential: the service learns tokens",
		site + "keep_credential at allow /orders/* orders:read: the service learns tokens",
	} {
		if !slices.Contains(s.Relaxed, setting) {
			t.Errorf("%q is not among %q", setting, s.Relaxed)
		}
		if !strings.Contains(shown, setting) {
			t.Errorf("%q is not in\n%s", setting, shown)
		}
		if !strings.Contains(string(logged), setting) {
			t.Errorf("%q is not in the log\n%s", setting, logged)
		}
	}
}

// Ensure that a configuration with nothing but defaults is not called relaxed.
func TestDefaultsAreNotRelaxed(t *testing.T) {
	o := newOperator(t)
	if shown := o.does("", "stats"); strings.Contains(shown, "relaxed") {
		t.Errorf("stats of a strict configuration:\n%s", shown)
	}
}

// Ensure that clients of the store which are less strict than the defaults are
// listed too, and that a great many of them do not make a list without end.
func TestRelaxedClientsOfTheStoreAreListed(t *testing.T) {
	o := newOperator(t)
	o.does("", "client", "add", "strict")
	for i := range relaxedNamed {
		o.does("", "client", "add", fmt.Sprintf("legacy-%03d", i), "--refresh-rotation", "off")
	}
	list := func() []string {
		var s statsView
		if err := json.Unmarshal([]byte(o.does("", "stats", "--json")), &s); err != nil {
			t.Fatal(err)
		}
		return s.Relaxed
	}
	const setting = "client legacy-%03d: refresh_rotation off: a stolen refresh token is not noticed"
	all := list()
	if len(all) != relaxedNamed || all[0] != fmt.Sprintf(setting, 0) || all[relaxedNamed-1] != fmt.Sprintf(setting, relaxedNamed-1) {
		t.Errorf("%d settings: %q", len(all), all)
	}
	o.does("", "client", "edit", "strict", "--pkce", "plain")
	const more = "clients of the store: more of them, which are not named here"
	if all = list(); len(all) != relaxedNamed+1 || all[relaxedNamed] != more {
		t.Errorf("one more: %d settings: %q", len(all), all)
	}
}
