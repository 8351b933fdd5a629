// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// Limits of assertions.
const (
	// MaxAssertionLifetime is how long an assertion may be valid, from now and from
	// its `iat`. For that long its mark is kept. Libraries make them for a minute to
	// an hour.
	MaxAssertionLifetime = time.Hour
	// AssertionLeeway is how far a client's clock may be from ours.
	AssertionLeeway = 30 * time.Second
	// MaxAssertionID is the length in bytes of the longest `jti`.
	MaxAssertionID = 256
)

// AuthSigningAlgs lists the algorithms that assertions may be signed with.
func AuthSigningAlgs() []string {
	return []string{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256, jose.HS256}
}

// signingMethod is the way of client authentication that an algorithm of
// [AuthSigningAlgs] belongs to. It has one each, so that no public key is taken for
// a shared secret.
func signingMethod(algorithm string) string {
	if algorithm == jose.HS256 {
		return authz.AuthSecretJWT
	}
	return authz.AuthPrivateKeyJWT
}

// typeAssertion is the type of an assertion that says its purpose (RFC 7523bis);
// older ones say "JWT", or nothing.
const typeAssertion = "client-authentication+jwt"

// readAssertion reads the assertion of a form (RFC 7523 §2.2): in whose name it
// is, and how it is signed. None of it is proved yet.
func readAssertion(form url.Values) (presented, error) {
	if form.Get(authz.ParamClientAssertionType) != authz.AssertionTypeJWT {
		return presented{}, RefusedForm.err()
	}
	t, err := jose.Parse(form.Get(authz.ParamClientAssertion), AuthSigningAlgs()...)
	if err != nil {
		return presented{}, RefusedForm.err()
	}
	if t.Header.Type != "" && !t.Header.Is("JWT") && !t.Header.Is(typeAssertion) {
		return presented{}, RefusedForm.err() // made for something else (RFC 8725 §3.11)
	}
	var said struct {
		Subject string `json:"sub"`
	}
	if t.Peek(&said) != nil || said.Subject == "" {
		return presented{}, RefusedForm.err()
	}
	if id := form.Get(authz.ParamClientID); id != "" && id != said.Subject {
		// RFC 7521 §4.2: it "MUST identify the same client as is identified by the client assertion".
		return presented{}, authz.ErrInvalidRequest.Describe("The client_id differs from the one in the assertion.")
	}
	return presented{method: signingMethod(t.Header.Algorithm), id: said.Subject, assertion: t}, nil
}

// claims are those of an assertion (RFC 7523 §3).
type claims struct {
	Issuer    string       `json:"iss"`
	Subject   string       `json:"sub"`
	Audience  audience     `json:"aud"`
	Expires   *numericDate `json:"exp"`
	NotBefore *numericDate `json:"nbf"`
	IssuedAt  *numericDate `json:"iat"`
	ID        string       `json:"jti"`
}

// refused returns why the claims do not authenticate the client of the given id, at
// the time now, to a server that goes by the names in audience; empty if they do.
func (c *claims) refused(id string, now time.Time, audience []string) Refusal {
	switch {
	case c.Issuer != id || c.Subject != id: // §3, items 1 and 2.B
		return RefusedIssuer
	case !c.Audience.within(audience): // item 3
		return RefusedAudience
	case c.ID == "" || len(c.ID) > MaxAssertionID: // item 7
		return RefusedID
	}
	return c.untimely(now)
}

// untimely checks the times: exp must be there, and near; nbf and iat must not be
// ahead (§3, items 4 to 6).
func (c *claims) untimely(now time.Time) Refusal {
	earliest, latest := dateOf(now.Add(-AssertionLeeway)), dateOf(now.Add(AssertionLeeway))
	longest := numericDate(MaxAssertionLifetime.Seconds())
	switch {
	case c.Expires == nil || *c.Expires <= earliest || *c.Expires > latest+longest:
		return RefusedExpiry
	case c.NotBefore != nil && *c.NotBefore > latest:
		return RefusedTime
	case c.IssuedAt != nil && (*c.IssuedAt > latest || *c.IssuedAt > *c.Expires || *c.Expires-*c.IssuedAt > longest):
		return RefusedTime
	}
	return ""
}

// expiry is from when on the assertion is refused for its age alone.
func (c *claims) expiry() time.Time {
	// A second more, so that fractions do not matter.
	return time.Unix(int64(*c.Expires)+1, 0).Add(AssertionLeeway)
}

// numericDate is a time in seconds since 1970, with a fraction if it has one (RFC
// 7519 §2).
type numericDate float64

func dateOf(t time.Time) numericDate { return numericDate(float64(t.UnixMilli()) / 1000) }

// audience is one name or a list of them (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON reads both forms.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	var several []string
	if json.Unmarshal(text, &several) != nil {
		return errors.New("an audience is a string or a list of strings")
	}
	*a = several
	return nil
}

// within reports whether all names in a are among ours, each once. An assertion
// that is also for somebody else could be theirs to replay here.
func (a audience) within(ours []string) bool {
	for i, name := range a {
		if !slices.Contains(ours, name) || slices.Contains(a[:i], name) {
			return false
		}
	}
	return len(a) > 0
}
