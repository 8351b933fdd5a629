// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package handle

import (
	"crypto/rand"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

const (
	// bindingName is the name of the cookie by which a browser is known again
	// before anybody is signed in.
	bindingName = authz.CookiePrefix + "browser"
	// bindingLength is the length in bytes of its value: 130 random bits.
	bindingLength = 26
)

// CookieName is the name of a cookie of ours. With secure it has the prefix that
// makes browsers refuse it from other hosts of the domain, from plain http, and
// for a part of the site only (RFC 6265bis §4.1.3.2).
func CookieName(name string, secure bool) string {
	if secure {
		return authz.CookieHost + name
	}
	return name
}

// Cookie returns a cookie of ours, which no script reads and no other site's
// form or frame sends along. It lasts until the browser is closed unless maxAge,
// in seconds, says otherwise; a negative one deletes it.
func Cookie(name, value string, secure bool, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: CookieName(name, secure), Value: value, Path: "/", MaxAge: maxAge,
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// CookieValue returns the value of a cookie of ours. Two of one name are none:
// without the prefix, another host of the domain may have set one of them.
func CookieValue(r *http.Request, name string, secure bool) (string, bool) {
	found := r.CookiesNamed(CookieName(name, secure))
	if len(found) != 1 || found[0].Value == "" {
		return "", false
	}
	return found[0].Value, true
}

// Binding returns what the browser that sends r is known by, and has w give it a
// cookie where it has none. The cookie stays the same in all windows, so that
// two can be used at a time; and the same for all handles of one answer.
func (k *Keeper) Binding(w http.ResponseWriter, r *http.Request) string {
	if binding, ok := k.Bound(r); ok {
		return binding
	}
	for _, line := range w.Header()["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err == nil && c.Name == CookieName(bindingName, k.Secure) {
			return c.Value // it gets this one already
		}
	}
	binding := rand.Text()
	http.SetCookie(w, Cookie(bindingName, binding, k.Secure, 0))
	return binding
}

// Bound returns what the browser that sends r is known by, if it is.
func (k *Keeper) Bound(r *http.Request) (string, bool) {
	binding, ok := CookieValue(r, bindingName, k.Secure)
	if !ok || len(binding) != bindingLength {
		return "", false
	}
	for _, c := range []byte(binding) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return "", false
		}
	}
	return binding, true
}

// SameOrigin reports whether a browser says that a page of origin, which is scheme
// and host as browsers write them, sent a form. What says nothing of it is not
// believed: every browser that shows our pages says one or the other.
func SameOrigin(r *http.Request, origin string) bool {
	if site := r.Header["Sec-Fetch-Site"]; len(site) > 0 {
		return len(site) == 1 && site[0] == "same-origin"
	}
	from := r.Header["Origin"]
	return len(from) == 1 && from[0] == origin
}
