// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// protection is a site that says, as rows, what services said to the frameworks
// that the compatibility page lists.
const protection = guarded + `
http://compat.localhost:{$PORT} {
	@old {
		path /device/*
		not header X-Device-Version *
	}
	oauth2_protect {
		realm orders
		challenge hint shop
		allow /any
		allow /one read
		allow /both read write
		allow /either read | write
		allow /mixed read write | admin
		allow GET /method read
		allow POST /method write
		allow /called {
			expression ` + "`{http.auth.oauth2.scope}.split(\" \").size() > 1`" + `
		}
		allow /device/* user
		allow /me user
		allow /me/email read
		optional /maybe
	}
	respond @old "Say which device you are." 400
	reverse_proxy {$UPSTREAM}
}

http://dressed.localhost:{$PORT} {
	oauth2_protect {
		errors pass
		allow /* read
	}
	reverse_proxy {$UPSTREAM}
	handle_errors {
		respond "our own page for {err.status_code}" {err.status_code}
	}
}

http://nested.localhost:{$PORT} {
	oauth2_protect {
		allow /* read
	}
	handle {
		oauth2_protect {
			allow /* write
		}
		reverse_proxy {$UPSTREAM}
	}
}
`

// Ensure that each way to protect a resource which services know from other
// frameworks has the outcome that the compatibility page tells.
func TestProtectionRules(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	g := start(t, protection, u.env())
	const nobody, madeUp = "nobody", "made up"
	tokens := map[string]string{nobody: "", madeUp: "made-up"}
	for _, scope := range []string{"user", "read", "write", "admin", "read write"} {
		tokens[scope] = g.shopToken(scope)
	}
	for _, c := range []struct {
		row    string
		site   string // of compat, dressed and nested
		method string
		path   string
		who    string // scope of the token
		status int
		says   string // in the challenge or the body
	}{
		{"B1", "compat", "GET", "/one", "read", 200, ""},
		{"B1", "compat", "GET", "/one", "user", 403, ""},
		{"B1", "compat", "GET", "/any", "user", 200, ""},
		{"B1", "compat", "GET", "/any", nobody, 401, ""},
		{"B2", "compat", "GET", "/mixed", "read write", 200, ""},
		{"B2", "compat", "GET", "/mixed", "admin", 200, ""},
		{"B2", "compat", "GET", "/mixed", "read", 403, ""},
		{"B3", "compat", "GET", "/both", "read write", 200, ""},
		{"B3", "compat", "GET", "/either", "write", 200, ""},
		{"B3", "compat", "GET", "/called", "read write", 200, ""},
		{"B3", "compat", "GET", "/called", "read", 403, ""},
		{"B4", "compat", "GET", "/both", "read", 403, `scope="read write"`},
		{"B5", "compat", "GET", "/either", "read", 200, ""},
		{"B5", "compat", "GET", "/either", "user", 403, ""},
		{"B8", "compat", "GET", "/maybe", nobody, 200, ""},
		{"B8", "compat", "GET", "/maybe", "user", 200, ""},
		{"B8", "compat", "GET", "/maybe", madeUp, 401, `error="invalid_token"`},
		{"B12", "compat", "GET", "/method", "read", 200, ""},
		{"B12", "compat", "POST", "/method", "read", 403, `scope="write"`},
		{"B14", "compat", "GET", "/device/1", "user", 400, "Say which device"},
		{"B16", "compat", "GET", "/both", madeUp, 401, `error="invalid_token"`},
		{"B17", "compat", "GET", "/one", nobody, 401, `Bearer realm="orders"`},
		{"B19", "compat", "GET", "/one", madeUp, 401, `error="invalid_token"`},
		{"B20", "compat", "GET", "/one", madeUp, 401, `realm="orders"`},
		{"B20", "compat", "GET", "/one", madeUp, 401, `hint="shop"`},
		{"B21", "compat", "GET", "/one", "user", 403, `error="insufficient_scope"`},
		{"B21", "compat", "GET", "/one", "user", 403, `scope="read"`},
		{"B22", "compat", "GET", "/one", madeUp, 401, `{"error":"invalid_token"`},
		{"B22", "dressed", "GET", "/one", madeUp, 401, "our own page for 401"},
		{"B27", "nested", "GET", "/one", "read", 403, `scope="write"`},
		{"B27", "nested", "GET", "/one", "read write", 200, ""},
		{"E4.5", "compat", "GET", "/me", "user", 200, ""},
		{"E4.5", "compat", "GET", "/me/email", "read", 200, ""},
		{"E4.5", "compat", "GET", "/me/email", "user", 403, `scope="read"`},
		{"B29", "compat", "GET", "/maybe", nobody, 200, ""},
	} {
		t.Run(c.row, func(t *testing.T) {
			var lines []string
			if c.who != nobody {
				lines = []string{"Authorization: Bearer " + tokens[c.who]}
			}
			before := u.count()
			a := g.request(c.method, c.site+".localhost", c.path, "", lines...)
			if a.status != c.status || !strings.Contains(a.header.Get("WWW-Authenticate")+a.body, c.says) {
				t.Errorf("%s %s with %s: %d %s %s", c.method, c.path, c.who, a.status, a.header.Get("WWW-Authenticate"), a.body)
			}
			if c.who == nobody && strings.Contains(a.header.Get("WWW-Authenticate"), "error=") {
				t.Errorf("a request without a token is told of an error: %s", a.header.Get("WWW-Authenticate"))
			}
			if passed := u.count() - before; (passed == 1) != (c.status == http.StatusOK) {
				t.Errorf("%s with %s reached the service %d times", c.path, c.who, passed)
			}
			if c.status == http.StatusOK && (u.last().Header.Get("X-Auth-Client") == "shop") != (c.who != nobody) {
				t.Errorf("%s with %s: the service learns of %q", c.path, c.who, u.last().Header.Get("X-Auth-Client"))
			}
		})
	}
}

// Ensure that applications find the endpoints where another server had them, and
// that metadata says so.
func TestPathsOfAnotherServer(t *testing.T) {
	t.Parallel()
	g := start(t, strings.Replace(guarded, "scope user", "prefix /oauth2\n\t\tscope user", 1))
	var token struct {
		AccessToken string `json:"access_token"`
	}
	resp, body := g.post("/oauth2/token", "shop", shopSecret, url.Values{"grant_type": {"client_credentials"}})
	if err := json.Unmarshal(body, &token); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("token: %s %v", resp.Status, err)
	}
	g.canary(token.AccessToken)
	if resp, body := g.post("/oauth2/revoke", "shop", shopSecret, url.Values{"token": {token.AccessToken}}); resp.StatusCode != http.StatusOK {
		t.Errorf("revoke: %s %s", resp.Status, body)
	}
	if a := g.get("localhost", "/oauth2/authorize"); a.status != http.StatusBadRequest {
		t.Errorf("authorize, without a client: %d", a.status)
	}
	if a := g.get("localhost", "/.well-known/oauth-authorization-server"); !strings.Contains(a.body, `/oauth2/authorize"`) || !strings.Contains(a.body, `/oauth2/token"`) {
		t.Errorf("metadata: %s", a.body)
	}
	if _, body := g.post("/oauth/token", "shop", shopSecret, url.Values{"grant_type": {"client_credentials"}}); len(body) != 0 {
		t.Error("there is a token at the usual path too")
	}
}

// Ensure that the compatibility page has a line for every row, and that what it
// calls working is held by a test that exists.
func TestCompatibilityPageNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	page := mustRead(t, filepath.Join(root, "docs/compatibility.md"))
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range groups(string(text), `^func ((?:Test|Fuzz)\w+)\(`) {
			tests[name] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	own := mustRead(t, "compatibility_test.go")
	var rows []string
	for _, line := range regexp.MustCompile(`(?m)^\| ([A-Z]\d+(?:\.\d+)?) \|.*$`).FindAllStringSubmatch(page, -1) {
		row := line[1]
		rows = append(rows, row)
		named := groups(line[0], "`((?:Test|Fuzz)[\\w/.]+)`")
		for _, name := range named {
			name, part, _ := strings.Cut(name, "/")
			if !tests[name] {
				t.Errorf("%s names %s, which does not exist", row, name)
			}
			if part != "" && !strings.Contains(own, `{"`+part+`", `) {
				t.Errorf("%s names %s/%s, which does not exist", row, name, part)
			}
		}
		if states := groups(line[0], `\| (works|by switch|refused) \|`); len(states) != 1 || states[0] != "refused" && len(named) == 0 {
			t.Errorf("%s is neither shown by a test nor refused: %s", row, line[0])
		}
	}
	sections := map[string]int{"A2.": 14, "A3.": 10, "A4.": 21, "A5.": 12, "A6.": 10, "A7.": 7, "B": 37,
		"E1.": 11, "E2.": 1, "E3.": 1, "E4.": 6, "E5.": 2, "E6.": 1, "E7.": 2, "E8.": 1}
	for section, count := range sections {
		for i := range count {
			if row := section + strconv.Itoa(i+1); !slices.Contains(rows, row) {
				t.Errorf("%s has no line", row)
			}
		}
	}
	slices.Sort(rows)
	if unique := slices.Compact(slices.Clone(rows)); len(unique) != len(rows) {
		t.Errorf("%d lines for %d rows", len(rows), len(unique))
	}
}
