// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// purpose is what the handles are for that go round.
const purpose = "site session"

// round is what goes along, sealed: whose browser wants to come back, where to, and
// who has to be signed in.
type round struct {
	Site      string   `cbor:"1,keyasint"`
	Back      string   `cbor:"2,keyasint"`
	Subject   string   `cbor:"3,keyasint,omitempty"`
	ACRValues []string `cbor:"4,keyasint,omitempty"`
	// MaxAge is how long ago the sign-in may be, in seconds.
	MaxAge int64 `cbor:"5,keyasint,omitempty"`
	// Browser is the digest of what the site knows the browser by. The issuer, being
	// another host, cannot ask for that cookie itself.
	Browser [sha256.Size]byte `cbor:"6,keyasint"`

	made time.Time
}

// onTheWay is what of MaxAge is left for the way back, or half of it where that is
// less: the site would find a sign-in too old that was just recent enough at the issuer.
const onTheWay = time.Minute

// since is when somebody must have signed in at the earliest. Who signs in on this
// round has.
func (r round) since() time.Time {
	if r.MaxAge == 0 {
		return time.Time{}
	}
	age := time.Duration(r.MaxAge) * time.Second
	return r.made.Add(min(onTheWay, age/2) - age)
}

// met reports whether a sign-in is what the round began for. The page that it leads to
// would send the browser round again.
func (r round) met(t *ticket, now time.Time) bool {
	strong := len(r.ACRValues) == 0 || slices.Contains(r.ACRValues, t.ACR) || t.ACR == authz.ACRTwoFactors
	return strong && (r.MaxAge == 0 || now.Sub(time.Unix(t.AuthTime, 0)) <= time.Duration(r.MaxAge)*time.Second)
}

// Begin sends a browser to the issuer. It sets a cookie where the browser has none.
func (s *Service) Begin(w http.ResponseWriter, r *http.Request, v protect.Visit) error {
	_, secure, err := origin(v.Site)
	if err != nil {
		return authz.ErrServer.Because(err)
	}
	keeper := s.keeper(secure)
	text, err := keeper.Seal(r.Context(), purpose, "", RequestLifetime, round{
		Site: v.Site, Back: local(v.Back), Subject: v.Subject, ACRValues: v.ACRValues,
		MaxAge:  int64(v.MaxAge.Seconds()),
		Browser: digest(keeper.Binding(w, r)),
	})
	if err != nil {
		return trouble(err)
	}
	send(w, s.config.Issuer+s.config.Prefix+Path+"?"+url.Values{authz.ParamRequest: {text}}.Encode())
	return nil
}

// digest is by what two texts are compared of which one is not at hand.
func digest(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// open returns what a handle of [Service.Begin] says. The error is [errRequest], or
// trouble.
func (s *Service) open(r *http.Request, text string) (round, error) {
	var began round
	opened, err := s.keeper(false).OpenFor(r.Context(), "", purpose, text, &began)
	began.made = opened.Made()
	return began, handleError(err)
}
