// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// person is somebody with a browser without scripts: it keeps cookies, follows
// redirects as far as sites of the gateway go, and sends the forms that pages have,
// with the headers by which browsers say where a form comes from.
type person struct {
	g      *gateway
	client *http.Client
	// language is what pages are asked for in.
	language string
	// beyond are the ports of applications whose pages it looks at, too.
	beyond []string
}

// screen is a page that a person looks at, or whatever the browser was sent to that
// is no site of the gateway.
type screen struct {
	p      *person
	url    *url.URL
	status int
	header http.Header
	body   string
	doc    *html.Node
}

// maxRedirects is how many a browser follows.
const maxRedirects = 20

// newPerson returns a person with an empty browser.
func newPerson(g *gateway) *person {
	g.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	client := *g.client
	client.Jar = jar
	return &person{g: g, client: &client, language: "en"}
}

// open goes to an address, as by typing it in.
func (p *person) open(address string) *screen {
	p.g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		p.g.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "none")
	return p.navigate(req)
}

// at goes to a path of the issuer, which is localhost in every test.
func (p *person) at(path string) *screen {
	p.g.t.Helper()
	return p.open(p.g.url("localhost", path))
}

// navigate sends a request and follows where its answer leads.
func (p *person) navigate(req *http.Request) *screen {
	p.g.t.Helper()
	for range maxRedirects {
		s := p.send(req)
		location := s.header.Get("Location")
		if s.status < 300 || s.status > 399 || location == "" {
			return s
		}
		to, err := s.url.Parse(location)
		if err != nil {
			p.g.t.Fatalf("redirected to %q: %v", location, err)
		}
		if to.Port() != p.g.port && !slices.Contains(p.beyond, to.Port()) {
			s.url = to
			return s
		}
		if req, err = http.NewRequest(http.MethodGet, to.String(), nil); err != nil {
			p.g.t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	p.g.t.Fatalf("%s: more than %d redirects", req.URL, maxRedirects)
	return nil
}

// send sends one request as the browser would.
func (p *person) send(req *http.Request) *screen {
	p.g.t.Helper()
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	req.Header.Set("Accept-Language", p.language)
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	resp, err := p.client.Do(req)
	if err != nil {
		p.g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.g.t.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		p.g.t.Fatal(err)
	}
	return &screen{p: p, url: req.URL, status: resp.StatusCode, header: resp.Header, body: string(body), doc: doc}
}

// cookie returns the value of a cookie that the browser would send to the issuer.
func (p *person) cookie(name string) string {
	p.g.t.Helper()
	at, err := url.Parse(p.g.url("localhost", "/"))
	if err != nil {
		p.g.t.Fatal(err)
	}
	for _, c := range p.client.Jar.Cookies(at) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// setCookie puts a cookie of the issuer into the browser.
func (p *person) setCookie(name, value string) {
	p.g.t.Helper()
	at, err := url.Parse(p.g.url("localhost", "/"))
	if err != nil {
		p.g.t.Fatal(err)
	}
	p.client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// signIn signs in on the page that s is.
func (s *screen) signIn(username, password string) *screen {
	s.p.g.t.Helper()
	return s.submit("signin", "username", username, "password", password)
}

// submit fills fields, given as names and values, into the form that has a button
// of that value, and presses it.
func (s *screen) submit(button string, fields ...string) *screen {
	s.p.g.t.Helper()
	return s.p.navigate(s.request(button, fields...))
}

// request is the request that submit sends.
func (s *screen) request(button string, fields ...string) *http.Request {
	s.p.g.t.Helper()
	action, values := s.form(button)
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, action, strings.NewReader(values.Encode()))
	if err != nil {
		s.p.g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", s.url.Scheme+"://"+s.url.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return req
}

// form returns where the form with a button of that value is sent, and what stands
// in it already.
func (s *screen) form(button string) (action string, values url.Values) {
	s.p.g.t.Helper()
	for form := range elements(s.doc, "form") {
		pressed := slices.ContainsFunc(slices.Collect(elements(form, "button")), func(n *html.Node) bool {
			return attribute(n, "name") == "do" && attribute(n, "value") == button
		})
		if !pressed {
			continue
		}
		values = url.Values{"do": {button}}
		for input := range elements(form, "input") {
			kind, ticked := attribute(input, "type"), hasAttribute(input, "checked")
			if kind != "checkbox" && kind != "radio" || ticked {
				values.Add(attribute(input, "name"), attribute(input, "value"))
			}
		}
		to, err := s.url.Parse(attribute(form, "action"))
		if err != nil {
			s.p.g.t.Fatal(err)
		}
		return to.String(), values
	}
	s.p.g.t.Fatalf("%s, %d: no form with a button %q:\n%s", s.url, s.status, button, s.text())
	return "", nil
}

// follow follows the link with that text.
func (s *screen) follow(text string) *screen {
	s.p.g.t.Helper()
	for a := range elements(s.doc, "a") {
		if strings.TrimSpace(textOf(a)) != text {
			continue
		}
		to, err := s.url.Parse(attribute(a, "href"))
		if err != nil {
			s.p.g.t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodGet, to.String(), nil)
		if err != nil {
			s.p.g.t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		return s.p.navigate(req)
	}
	s.p.g.t.Fatalf("%s, %d: no link %q:\n%s", s.url, s.status, text, s.text())
	return nil
}

// title is the page's headline.
func (s *screen) title() string {
	for h := range elements(s.doc, "h1") {
		return strings.TrimSpace(textOf(h))
	}
	return ""
}

// text is all that stands on the page.
func (s *screen) text() string { return strings.Join(strings.Fields(textOf(s.doc)), " ") }

// is fails the test unless the page has that status and headline.
func (s *screen) is(status int, title string) *screen {
	s.p.g.t.Helper()
	if s.status != status || s.title() != title {
		s.p.g.t.Fatalf("%s: %d %q, want %d %q:\n%s", s.url, s.status, s.title(), status, title, s.text())
	}
	return s
}

// elements are all elements of that name below a node, in order.
func elements(n *html.Node, name string) func(func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for d := range n.Descendants() {
			if d.Type == html.ElementNode && d.Data == name && !yield(d) {
				return
			}
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// textOf is the text below a node, without that of style and script.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" && d.Parent.Data != "script" {
			b.WriteString(d.Data + " ")
		}
	}
	return b.String()
}
