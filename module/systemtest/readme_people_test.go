// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"os"
	"os/exec"
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
	g, ports := example(t, "quickstart", "3000")
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
	script := evaluate[string](ann, "document.querySelector('#javascript').innerText")

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
	ann.open(g.requestOf(script, secret)).is(http.StatusOK, "My orders asks for access to your account")
	ann.open(account).press("End access of My orders").sees("No application has access to your account")
	ann.open(application).sees("Your access has ended")
}

// requestOf runs the part of the developer page's script that makes an authorization
// request, which it returns, with what the example application has installed.
func (g *gateway) requestOf(script, secret string) string {
	g.t.Helper()
	before, _, found := strings.Cut(script, "// At the redirect URI")
	if !found {
		g.t.Fatalf("the script has no end: %s", script)
	}
	node := exec.CommandContext(g.t.Context(), "node", g.write("examples/relying-party/script.mjs", before+"console.log(url.href)\n"))
	node.Env = append(os.Environ(), "CLIENT_SECRET="+secret)
	node.Stderr = g.logs
	out, err := node.Output()
	if err != nil {
		g.t.Fatalf("%v\n%s\n%s", err, script, g.logs)
	}
	return strings.TrimSpace(string(out))
}
