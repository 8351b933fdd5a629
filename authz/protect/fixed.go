// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Basic is the gateway's own user name and password at the service (RFC 7617).
type Basic struct {
	// Username has no colon and at most 255 bytes. Required.
	Username string `json:"username"`
	// Password has at most 1024 bytes. Required.
	Password string `json:"password"`
}

// check returns what is wrong with b. Its text repeats neither.
func (b *Basic) check() error {
	control := func(c rune) bool { return c < 0x20 || c == 0x7f } // RFC 7617 §2
	switch {
	case b.Username == "" || b.Password == "":
		return errors.New("upstream basic takes a user name and a password, and one of them is empty")
	case len(b.Username) > 255 || len(b.Password) > 1024:
		return errors.New("upstream basic: the user name has more than 255 bytes, or the password more than 1024")
	case strings.Contains(b.Username, ":"):
		return errors.New("upstream basic: a user name has no colon")
	case strings.ContainsFunc(b.Username+b.Password, control):
		return errors.New("upstream basic: user name or password has a control character, such as a line's end from a file")
	}
	return nil
}

// fixed is what goes upstream whoever calls.
type fixed struct {
	headers []fixedHeader
	// authorization is the gateway's own, or "".
	authorization string
}

type fixedHeader struct{ name, value string }

// newFixed checks what an Upstream says whoever calls, and makes it ready.
func newFixed(u Upstream) (fixed, error) {
	var f fixed
	for _, name := range slices.Sorted(maps.Keys(u.Static)) {
		if err := checkHeaderName(name); err != nil {
			return fixed{}, err
		}
		value := u.Static[name]
		if value == "" || len(value) > MaxValue || !isPrintable(value) || strings.Trim(value, " ") != value {
			return fixed{}, fmt.Errorf("upstream header %s: a static value is printable ASCII without spaces at its ends, at most %d bytes", name, MaxValue)
		}
		f.headers = append(f.headers, fixedHeader{textproto.CanonicalMIMEHeaderKey(name), value})
	}
	if u.Basic == nil {
		return f, nil
	}
	if u.KeepCredential {
		return fixed{}, errors.New("upstream has both basic and keep_credential: there is one Authorization header")
	}
	f.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Basic.Username+":"+u.Basic.Password))
	return f, u.Basic.check()
}

// any reports whether there is something to put on.
func (f *fixed) any() bool { return len(f.headers) > 0 || f.authorization != "" }

// put sets the headers. Each request has values of its own: handlers further in
// may change them in place.
func (f *fixed) put(h http.Header) {
	for _, header := range f.headers {
		h[header.name] = []string{header.value}
	}
	if f.authorization != "" {
		h["Authorization"] = []string{f.authorization}
	}
}

// takeOff removes them again.
func (f *fixed) takeOff(h http.Header) {
	for _, header := range f.headers {
		delete(h, header.name)
	}
	if f.authorization != "" {
		delete(h, "Authorization")
	}
}

// dressAnonymous puts on a request, whose caller nobody has looked at, what its
// row says for everybody: in an upstream of its own. What the guard as a whole has
// may open doors, and goes with proved callers only.
func dressAnonymous(r *http.Request, outer *passage, row *entry, p *passage) *passage {
	if row.Upstream == nil || !row.dress.fixed.any() {
		return p
	}
	switch {
	case p != nil:
	case outer != nil:
		p = outer.inner(r.Context())
		p.checked = false // not by this guard
	default:
		p = &passage{Context: r.Context()}
	}
	p.dress = row.dress
	row.dress.fixed.put(r.Header)
	return p
}
