// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Row U14: whoever has seen somebody's subject makes no account called like that, and
// so is never the user whom the administrator means by it.
func TestHardeningSubjectsAsNames(t *testing.T) {
	t.Parallel()
	g := startPeopled(t, peopled)
	g.canary(zoePassword)
	var ann struct{ Subject, Username string }
	shown, _ := g.cli(0, "", "user", "show", "ann", "--json")
	if err := json.Unmarshal([]byte(shown), &ann); err != nil || ann.Subject == "" {
		t.Fatalf("shown as %s, %v", shown, err)
	}
	for _, name := range []string{ann.Subject, strings.ToLower(ann.Subject), " " + strings.ToUpper(ann.Subject)} {
		s := newPerson(g).at("/oauth/signup").submit("signup", "username", name, "new_password", annPassword, "repeat", annPassword)
		if s.status != http.StatusBadRequest || s.url.Path != "/oauth/signup" {
			t.Errorf("%q signs up: %d %s", name, s.status, s.url)
		}
		if _, said := g.cli(1, zoePassword, "user", "add", name); !strings.Contains(said, "form of a subject") {
			t.Errorf("%q is added: %s", name, said)
		}
		file := g.write("users.csv", "username,password\n"+name+","+zoePassword+"\n")
		if _, said := g.cli(1, "", "user", "import", file); !strings.Contains(said, "line 2") {
			t.Errorf("%q is imported: %s", name, said)
		}
	}
	g.cli(3, "", "user", "disable", strings.ToLower(ann.Subject))
	g.cli(0, zoePassword, "user", "passwd", ann.Subject)
	if g.enters("ann", annPassword) || !g.enters("ann", zoePassword) {
		t.Error("the password of another has changed")
	}
}
