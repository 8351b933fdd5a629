// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxCORS is the number of origins, methods or headers that [CORS] may list.
	MaxCORS = 100
	// MaxCORSAge is the longest [CORS].MaxAge in seconds: a day. Browsers keep
	// answers for less.
	MaxCORSAge = 24 * 3600
)

// anyOrigin stands for every origin.
const anyOrigin = "*"

// CORS says which web pages' scripts may call what is guarded, and read the
// answers (Fetch Standard §3.3). It permits nothing: rows decide as without it.
//
// The guard answers preflight requests of the origins listed, for rows that are
// not denied, and none of these goes on to the service. All answers to requests
// with an Origin, refusals included, get the guard's headers and lose the service's.
type CORS struct {
	// Origins are compared exactly: "https://app.example.com", with the port
	// where it is not the usual one, or "*" alone for all. Required.
	Origins []string `json:"origins"`
	// Methods are those that scripts may use beside GET, HEAD and POST, for which
	// browsers do not ask. Default: PUT, PATCH and DELETE.
	Methods []string `json:"methods,omitempty"`
	// Headers are those that scripts may send. Default: Authorization and
	// Content-Type.
	Headers []string `json:"headers,omitempty"`
	// Expose are headers of answers that scripts may read beside the simple ones
	// and WWW-Authenticate. Default: none.
	Expose []string `json:"expose,omitempty"`
	// Credentials lets browsers send cookies along, and not with "*". Default: false.
	Credentials bool `json:"credentials,omitempty"`
	// MaxAge is how long browsers may keep the answer to a preflight, in seconds,
	// at most [MaxCORSAge]. Default: 0, the browser's own default, which is 5 s.
	MaxAge int64 `json:"max_age,omitempty"`
}

// Validate returns what is wrong with c.
func (c *CORS) Validate() error {
	if len(c.Origins) == 0 {
		return errors.New("cors needs origins: those of the web pages whose scripts may call, such as https://app.example.com")
	}
	for _, list := range [][]string{c.Origins, c.Methods, c.Headers, c.Expose} {
		if len(list) > MaxCORS {
			return fmt.Errorf("cors: a list has more than %d entries", MaxCORS)
		}
	}
	for _, origin := range c.Origins {
		switch {
		case origin == anyOrigin && len(c.Origins) > 1:
			return errors.New("cors: * stands for all origins: it stands alone")
		case origin == anyOrigin && c.Credentials:
			return errors.New("cors: credentials need origins that are named: with * every web page could act for the user")
		case origin != anyOrigin && !isOrigin(origin):
			return fmt.Errorf("cors: %q is no origin as browsers write it: scheme and host in lower case, and the port where it is not the usual one, as in https://app.example.com", origin)
		}
	}
	for _, method := range c.Methods {
		if !methodWord(method) || method == http.MethodConnect || method == http.MethodTrace {
			return fmt.Errorf("cors: %q is no method that scripts may use: write methods in capitals", method)
		}
	}
	for _, name := range slices.Concat(c.Headers, c.Expose) {
		if !isToken(name) || name == "*" { // * never covers Authorization
			return fmt.Errorf("cors: %q is no name of a header", name)
		}
	}
	if c.MaxAge < 0 || c.MaxAge > MaxCORSAge {
		return fmt.Errorf("cors: max_age is 0 to %d seconds", MaxCORSAge)
	}
	return nil
}

// isOrigin reports whether s is the serialization of an origin of a web page
// (RFC 6454 §6.2). "null" is none: every sandboxed page has it.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Contains(u.Host, "*") {
		return false
	}
	usual := u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" || strings.HasSuffix(u.Host, ":")
	return !usual && s == u.Scheme+"://"+u.Host && s == strings.ToLower(s)
}

// cors is a CORS made ready: nil where there is none.
type cors struct {
	origins                  []string
	methods, headers, expose string
	credentials              bool
	maxAge                   string
}

func newCORS(c *CORS) (*cors, error) {
	if c == nil {
		return nil, nil
	}
	methods, headers := c.Methods, c.Headers
	if len(methods) == 0 {
		methods = []string{http.MethodPut, http.MethodPatch, http.MethodDelete}
	}
	if len(headers) == 0 {
		headers = []string{"Authorization", "Content-Type"}
	}
	ready := &cors{
		origins:     c.Origins,
		methods:     strings.Join(methods, ", "),
		headers:     strings.Join(headers, ", "),
		expose:      strings.Join(append([]string{"WWW-Authenticate"}, c.Expose...), ", "),
		credentials: c.Credentials,
	}
	if c.MaxAge > 0 {
		ready.maxAge = strconv.FormatInt(c.MaxAge, 10)
	}
	return ready, c.Validate()
}

// any reports whether all origins are listed.
func (c *cors) any() bool { return c.origins[0] == anyOrigin }

// lists reports whether an Origin header is that of a listed origin.
func (c *cors) lists(origin []string) bool {
	return len(origin) == 1 && (c.any() || slices.Contains(c.origins, origin[0]))
}

// isPreflight reports whether r asks what a script may do (Fetch Standard §3.3.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) == 1 && len(r.Header["Access-Control-Request-Method"]) == 1
}

// share makes the answer to r one that scripts of listed origins may read. Where
// r is a preflight of such an origin for a row that somebody may pass, it is
// answered, and done is true.
func (g *Guard) share(w http.ResponseWriter, r *http.Request) (out http.ResponseWriter, done bool) {
	c := g.cors
	if !c.any() {
		w.Header().Add("Vary", "Origin") // whoever asks: caches give it to others
	}
	origin := r.Header["Origin"]
	if len(origin) == 0 {
		return w, false
	}
	listed := c.lists(origin)
	if listed && isPreflight(r) && g.permits(r) {
		h := w.Header()
		c.allow(h, origin[0])
		h.Del("Access-Control-Expose-Headers")
		h.Set("Access-Control-Allow-Methods", c.methods)
		h.Set("Access-Control-Allow-Headers", c.headers)
		if c.maxAge != "" {
			h.Set("Access-Control-Max-Age", c.maxAge)
		}
		w.WriteHeader(http.StatusNoContent)
		return w, true
	}
	shared := &sharedWriter{ResponseWriter: w, cors: c}
	if listed {
		shared.origin = origin[0]
	}
	shared.settle() // for answers that others write in the place of an error
	return shared, false
}

// permits reports whether the method that a preflight asks for has a row that
// lets something pass.
func (g *Guard) permits(r *http.Request) bool {
	asked := *r // route looks at method and target only
	asked.Method = r.Header["Access-Control-Request-Method"][0]
	row, refusal := g.route(&asked)
	return refusal == nil && row != ownPath && row.Verb != Deny
}

// allow sets the headers of an answer to a listed origin.
func (c *cors) allow(h http.Header, origin string) {
	if c.any() {
		origin = anyOrigin
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", c.expose)
	if c.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// corsHeaders are those that only the guard sets.
var corsHeaders = []string{
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
	"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age",
}

// sharedWriter puts the guard's headers in the place of the service's.
type sharedWriter struct {
	http.ResponseWriter
	cors *cors
	// origin is that of the request, where it is listed.
	origin string
	wrote  bool
}

func (w *sharedWriter) settle() {
	h := w.Header()
	for _, name := range corsHeaders {
		delete(h, name)
	}
	if w.origin != "" {
		w.cors.allow(h, w.origin)
	}
	if !w.cors.any() && !slices.ContainsFunc(h["Vary"], variesByOrigin) {
		h.Add("Vary", "Origin") // somebody further in has taken it away
	}
}

// variesByOrigin reports whether a value of Vary names Origin, or everything.
func variesByOrigin(value string) bool {
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.Trim(name, " \t"); name == "*" || strings.EqualFold(name, "Origin") {
			return true
		}
	}
	return false
}

// WriteHeader sets the headers at the last moment. An informational answer, but
// for the one that ends HTTP (RFC 9110 §15.2), has none yet.
func (w *sharedWriter) WriteHeader(status int) {
	if !w.wrote && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.wrote = true
		w.settle()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *sharedWriter) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Flush is for handlers that do not use [http.ResponseController].
func (w *sharedWriter) Flush() {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // what cannot flush has nothing to hold back
}

// Unwrap is for [http.ResponseController].
func (w *sharedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
