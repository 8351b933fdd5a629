// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// startsApplication is in the README's snippet that starts the example application.
const startsApplication = "npm --prefix examples/relying-party start"

// Ensure that whoever follows the README with a browser has an account, a client, an
// application that works, and its access ended.
func TestReadmeLeadsPeopleToTheEndOfAGrant(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), ", with people\n")
	section, _, _ = strings.Cut(section, "\n## ")
	g, ports := quickstart(t)
	g.canary(annPassword)
	addresses := regexp.MustCompile(`http://[a-z0-9.]+:[0-9]+[a-z/]*`).FindAllString(ports.Replace(section), -1)
	if len(addresses) != 5 {
		t.Fatalf("the README leads to %q", addresses)
	}
	signUp, register, callback, application, account := addresses[0], addresses[1], addresses[2], addresses[3], addresses[4]

	ann := chromium(t)
	ann.open(signUp).fill("User name", "ann").fill("Password", annPassword).fill("Password again", annPassword).press("Create account")
	ann.is(http.StatusOK, "Applications with access")
	ann.open(register).fill("Name", "My orders").fill("Redirect URIs", callback).tick("See your orders orders:read", true).press("Register")
	ann.is(http.StatusOK, "My orders")
	id := evaluate[string](ann, "document.querySelector('#client-id').innerText")
	secret := g.canary(evaluate[string](ann, "document.querySelector('#client-secret').innerText"))

	blocks := snippets(t, "README.md", "sh")
	start := slices.IndexFunc(blocks, func(block string) bool { return strings.Contains(block, startsApplication) })
	if start < 0 {
		t.Fatal("nothing starts the application")
	}
	filled := strings.NewReplacer("CLIENT_ID=…", "CLIENT_ID="+id, "CLIENT_SECRET=…", "CLIENT_SECRET="+secret).Replace(blocks[start])
	if g.relyingParty(ports) != application || strings.Contains(filled, "…") {
		t.Fatalf("at %s, by %s", application, filled)
	}
	g.background(filled, strings.TrimPrefix(application, "http://"))

	ann.open(application).press("Sign in").is(http.StatusOK, "My orders asks for access to your account")
	ann.press("Allow").is(http.StatusOK, "Orders").sees("from client '" + id + "' with scope 'orders:read', user 'ann', Authorization ''")
	ann.open(account).press("End access of My orders").sees("No application has access to your account")
	ann.open(application).sees("Your access has ended")
}
