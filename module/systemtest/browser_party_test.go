// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// The hosts of what a browser is shown. The shop's is no neighbour of the others: to a
// browser it is another site.
const (
	authHost = "auth.example.test"
	apiHost  = "api.example.test"
	shopHost = "shop.test"
)

// browsed is an authorization server, an API and an application of somebody else, each
// on a host of its own, by TLS of Caddy's internal authority.
const browsed = `{
	import {$HARNESS}
	import {$AUTHORITY}
	oauth2 {
		issuer https://auth.example.test:{$PORT}
		scope orders:read "See your orders"
		scope orders:write "Change your orders"
		users {
			argon2id {
				memory 8192
				time 1
			}
			sign_up
		}
		client shop {
			name "Example Shop"
			secret {env.SECRET}
			grant_types authorization_code refresh_token
			redirect_uris https://shop.test:{$PORT}/callback
			scopes orders:read orders:write
			default_scopes orders:read
			optional_scopes orders:write
		}
	}
}

https://auth.example.test:{$PORT} {
	tls internal
	log
	oauth2_server
}

https://api.example.test:{$PORT} {
	tls internal
	log
	oauth2_protect {
		allow GET /* orders:read
		allow POST /* orders:write
	}
	respond "orders"
}

https://shop.test:{$PORT} {
	tls internal
	reverse_proxy {$SHOP}
}
`

// shop is an application that people use with a browser. It asks for access, keeps
// what it gets for the browser that came, and shows what it reaches with that.
type shop struct {
	g *gateway
	// ask are more parameters of its authorization requests, under mu like the rest.
	mu  sync.Mutex
	ask url.Values
	// asked are the requests under way by their state, got the answers by browser.
	asked map[string]asking
	got   map[string]got
}

// asking is an authorization request under way: the browser that it was made in, and the
// verifier to its challenge.
type asking struct{ browser, verifier string }

// got is what a browser came back with: access, or an error.
type got struct {
	grantAnswer
	refused string
}

// shopCookie names a browser at the shop. The answer by form post comes from another
// site, so it has to be sent from there.
const shopCookie = "__Host-shop"

// startShop runs the gateway with the shop behind it, and an account ann.
func startShop(t *testing.T) (*gateway, *shop) {
	t.Helper()
	s := &shop{asked: make(map[string]asking), got: make(map[string]got)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	g := prepareInternal(t, browsed, "SECRET="+codeSecret, "SHOP="+server.Listener.Addr().String())
	s.g = g
	g.startInternal()
	g.canary(annPassword)
	newPerson(g).open(g.tls(authHost, "/oauth/signup")).submit("signup", "username", "ann", "new_password", annPassword, "repeat", annPassword)
	return g, s
}

// asks sets a parameter of the authorization requests to come.
func (s *shop) asks(name, value string) *shop {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ask == nil {
		s.ask = make(url.Values)
	}
	s.ask.Set(name, value)
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	browser := ""
	if c, err := r.Cookie(shopCookie); err == nil {
		browser = c.Value
	}
	switch r.URL.Path {
	case "/":
		if browser == "" {
			browser = rand.Text()
			http.SetCookie(w, &http.Cookie{Name: shopCookie, Value: browser, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode})
		}
		s.home(w, browser)
	case "/connect":
		http.Redirect(w, r, s.g.tls(authHost, "/oauth/authorize?"+s.begin(browser).Encode()), http.StatusSeeOther)
	case "/callback":
		if fault := s.end(browser, r); fault != "" {
			s.page(w, http.StatusBadRequest, fault)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	default:
		http.NotFound(w, r)
	}
}

var shopPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><title>Shop</title><link rel="icon" href="data:,">
<h1>Example Shop</h1>
{{range .}}<p>{{.}}</p>{{else}}<p>Nothing to show</p>{{end}}
<p><a href="/connect">Connect your account</a></p>
</html>`))

// home shows what the shop reaches for a browser at this moment.
func (s *shop) home(w http.ResponseWriter, browser string) {
	s.mu.Lock()
	got, known := s.got[browser]
	s.mu.Unlock()
	var lines []string
	switch {
	case got.refused != "":
		lines = []string{"Refused: " + got.refused}
	case known:
		lines = []string{"Scope: " + got.Scope}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			status, _, err := s.send(method, apiHost, "/", "Bearer "+got.Access, nil)
			if err != nil {
				s.page(w, http.StatusBadGateway, err.Error())
				return
			}
			lines = append(lines, fmt.Sprintf("%s orders: %d", method, status))
		}
	}
	s.page(w, http.StatusOK, lines...)
}

// page answers with a page that says that.
func (s *shop) page(w http.ResponseWriter, status int, lines ...string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = shopPage.Execute(w, lines)
}

// begin makes an authorization request for a browser.
func (s *shop) begin(browser string) url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	s.asked[state] = asking{browser: browser, verifier: verifier}
	digest := sha256.Sum256([]byte(verifier))
	params := url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {s.g.tls(shopHost, "/callback")}, "state": {state},
		"scope": {"orders:read orders:write"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}
	maps.Copy(params, s.ask)
	return params
}

// end takes an answer in the browser that the request was made in, and redeems its
// code. It returns what is wrong with the answer.
func (s *shop) end(browser string, r *http.Request) (fault string) {
	if r.ParseForm() != nil {
		return "the answer cannot be read"
	}
	s.mu.Lock()
	asked, known := s.asked[r.Form.Get("state")]
	delete(s.asked, r.Form.Get("state"))
	s.mu.Unlock()
	if !known || asked.browser != browser || browser == "" || r.Form.Get("iss") != "https://"+authHost+":"+s.g.port {
		return "this is no answer to what this browser asked for"
	}
	answer := got{refused: r.Form.Get("error")}
	if answer.refused == "" {
		status, body, err := s.send(http.MethodPost, authHost, "/oauth/token", "Basic "+base64.StdEncoding.EncodeToString([]byte("shop:"+codeSecret)), url.Values{
			"grant_type": {"authorization_code"}, "code": {r.Form.Get("code")},
			"redirect_uri": {s.g.tls(shopHost, "/callback")}, "code_verifier": {asked.verifier},
		})
		if err == nil {
			err = json.Unmarshal(body, &answer.grantAnswer)
		}
		if err != nil || status != http.StatusOK {
			return fmt.Sprintf("the code is not taken: %d %s %v", status, body, err)
		}
		for _, secret := range []string{answer.Access, answer.Refresh} {
			s.g.canary(secret)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[browser] = answer
	return ""
}

// send sends a request of the shop's own, not its users'.
func (s *shop) send(method, host, path, authorization string, form url.Values) (int, []byte, error) {
	req, err := http.NewRequest(method, s.g.tls(host, path), strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := s.g.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
