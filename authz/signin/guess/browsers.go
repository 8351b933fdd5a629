// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package guess

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz/handle"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// browserCookie is the name of the cookie by which a browser is known.
	browserCookie = "oauth2_known"
	// browserAge is how long a browser is known after the last sign-in, in seconds: half a year.
	browserAge = 180 * 24 * 60 * 60
	// maxAccounts is how many accounts a browser is known for.
	maxAccounts = 8
	// part is the length in bytes of the browser's id, and of what is kept for each account.
	part = 16
)

// Browsers knows the browsers again in which accounts have signed in before, by a
// cookie: a random id of the browser, and for each account a MAC over both. It
// signs nobody in. Whoever steals it can guess at one account's password as slowly as
// its owner.
type Browsers struct {
	// Secure says that browsers reach this server by https only; see [handle.Cookie].
	Secure bool
}

// Device is the id of the browser that sends r, if the account has signed in
// there before; empty if not.
func (b Browsers) Device(r *http.Request, db *tokenstore.DB, account string) string {
	id, marks := b.read(r)
	if find(marks, mark(db, id, account)) < 0 {
		return ""
	}
	return string(id)
}

// Remember has w tell the browser that the account has signed in there. It is
// called after every complete sign-in.
func (b Browsers) Remember(w http.ResponseWriter, r *http.Request, db *tokenstore.DB, account string) {
	id, marks := b.read(r)
	if id == nil {
		id = make([]byte, part)
		_, _ = rand.Read(id) // it never fails
	}
	own := mark(db, id, account)
	value := append(append([]byte{}, id...), own...)
	for _, m := range marks {
		if subtle.ConstantTimeCompare(m, own) == 0 && len(value) < (1+maxAccounts)*part {
			value = append(value, m...)
		}
	}
	http.SetCookie(w, handle.Cookie(browserCookie, base64.RawURLEncoding.EncodeToString(value), b.Secure, browserAge))
}

// read returns what the cookie holds; nothing if it is none of ours.
func (b Browsers) read(r *http.Request) (id []byte, marks [][]byte) {
	const longest = (1 + maxAccounts) * part
	text, ok := handle.CookieValue(r, browserCookie, b.Secure)
	if !ok || len(text) > base64.RawURLEncoding.EncodedLen(longest) {
		return nil, nil
	}
	value, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(value) < 2*part || len(value)%part != 0 {
		return nil, nil
	}
	for m := value[part:]; len(m) > 0; m = m[part:] {
		marks = append(marks, m[:part])
	}
	return value[:part], marks
}

// mark is the MAC over a browser's id and an account.
func mark(db *tokenstore.DB, id []byte, account string) []byte {
	digest := db.Digest("known browser", append(append([]byte{}, id...), account...))
	return digest[:part]
}

// find is the position of a mark; -1 if it is not there.
func find(marks [][]byte, own []byte) int {
	found := -1
	for i, m := range marks {
		if subtle.ConstantTimeCompare(m, own) == 1 {
			found = i
		}
	}
	return found
}
