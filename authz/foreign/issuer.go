// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// Profiles are how an issuer's signed access tokens are told from its other
// tokens. The zero value of [Issuer].Profile is [ProfileStandard].
const (
	// ProfileStandard: they say so themselves, by `typ` (RFC 9068 §2.1).
	ProfileStandard = "rfc9068"
	// ProfileGeneric: for issuers older than that. `typ` may be missing or "JWT",
	// and what has no scopes, or has the marks of an ID token or a logout token,
	// is no access token.
	ProfileGeneric = "generic"
)

// Profiles lists the values of [Issuer].Profile.
func Profiles() []string { return []string{ProfileStandard, ProfileGeneric} }

const (
	// DefaultLeeway is how far the issuer's clock may be from ours.
	DefaultLeeway = 30 * time.Second
	// MaxLeeway is the most that it can be allowed: a minute.
	MaxLeeway = time.Minute
	// DefaultCache is how long an introspection answer is used again.
	DefaultCache = 30 * time.Second
	// MaxCache is the longest that it can be.
	MaxCache = 10 * time.Minute
	// MaxAudience is the number of audiences of one issuer.
	MaxAudience = 32
	// MaxIssuers is the number of issuers that one guard can accept.
	MaxIssuers = 32
	// maxName is the length in bytes of the longest audience, name of a claim or
	// client id.
	maxName = 512
)

// Issuer is an authorization server whose access tokens are accepted beside
// our own.
type Issuer struct {
	// Its issuer identifier, exactly as its tokens have it in `iss`: an https URL
	// without query and fragment. http is accepted for loopback addresses, and
	// elsewhere with `insecure_http`. Required.
	Issuer string `json:"issuer"`
	// What its tokens must be meant for: one of these must be in `aud`. Required.
	Audience []string `json:"audience,omitempty"`
	// Where its keys are, a JWK Set. Default: what its metadata says (RFC 8414,
	// OpenID Connect Discovery). It is fetched when the first token comes.
	JWKS string `json:"jwks,omitempty"`
	// How it is asked about tokens. Without `jwks`, it is asked about all of
	// its tokens; with it, only about those that are not signed JWTs. One
	// issuer of a guard can have this: nobody is shown others' tokens. Default: it
	// is not asked.
	Introspection *Introspection `json:"introspection,omitempty"`
	// `rfc9068` takes only tokens that say they are access tokens, `generic` those
	// of older issuers too. Default: `rfc9068`.
	Profile string `json:"profile,omitempty"`
	// Algorithms that it may sign by, of ES256, ES384, ES512, EdDSA, RS256, RS384,
	// RS512, PS256, PS384 and PS512. Default: all of them.
	Algorithms []string `json:"algorithms,omitempty"`
	// How far its clock may be from ours, at most one minute. Default: `30s`.
	Leeway *client.Duration `json:"leeway,omitempty"`
	// The claim that holds the scopes, a text or a list. Default: `scope`, or
	// `scp` where there is none.
	ScopeClaim string `json:"scope_claim,omitempty"`
	// The claim that holds the user's name, for services that want one. The
	// issuer must not let people choose it. Default: none.
	UsernameClaim string `json:"username_claim,omitempty"`
}

// Introspection is how an issuer is asked about a token (RFC 7662).
type Introspection struct {
	// The introspection endpoint. Required.
	URL string `json:"url"`
	// Our id as a client there. Required.
	ClientID string `json:"client_id"`
	// Our secret as a client there, sent by HTTP Basic authentication.
	// Placeholders such as `{file./run/secrets/introspection}` are resolved once,
	// when the configuration is loaded. Required.
	ClientSecret Secret `json:"client_secret"`
	// How long an answer is used again, at most ten minutes and never beyond the
	// token's end; `0s` asks at every request. Default: `30s`.
	Cache *client.Duration `json:"cache,omitempty"`
}

// Secret is a text that errors and logs do not show.
type Secret string

// String implements [fmt.Stringer].
func (Secret) String() string { return "***" }

// GoString implements [fmt.GoStringer].
func (Secret) GoString() string { return "***" }

// Validate returns what is wrong with an issuer. insecure permits plain http
// beyond loopback.
func (i *Issuer) Validate(insecure bool) error {
	if err := i.validate(trust(insecure)); err != nil {
		return fmt.Errorf("issuer %s: %w", i.Issuer, err)
	}
	return nil
}

func trust(insecure bool) fetch.Trust {
	if insecure {
		return fetch.OperatorPlain
	}
	return fetch.Operator
}

func (i *Issuer) validate(by fetch.Trust) error {
	if err := fetch.CheckURL(i.Issuer, by); err != nil {
		return err
	}
	if u, err := url.Parse(i.Issuer); err != nil || u.RawQuery != "" || u.ForceQuery {
		return errors.New("the URL must not have a query") // RFC 8414 §2
	}
	if len(i.Audience) == 0 {
		return errors.New("audience is missing: without it, a token that the issuer made for anybody would be good here")
	}
	if err := checkNames("audience", i.Audience, MaxAudience); err != nil {
		return err
	}
	if i.JWKS != "" {
		if err := fetch.CheckURL(i.JWKS, by); err != nil {
			return fmt.Errorf("jwks: %w", err)
		}
	}
	if i.Profile != "" && !slices.Contains(Profiles(), i.Profile) {
		return fmt.Errorf("profile %q is unknown: it is %s or %s", i.Profile, ProfileStandard, ProfileGeneric)
	}
	for _, algorithm := range i.Algorithms {
		if !slices.Contains(jose.Asymmetric(), algorithm) {
			return fmt.Errorf("algorithm %q is not accepted: only signatures by a public key are", algorithm)
		}
	}
	if l := i.leeway(); l < 0 || l > MaxLeeway {
		return fmt.Errorf("leeway is 0s to %s", MaxLeeway)
	}
	for _, name := range []string{i.ScopeClaim, i.UsernameClaim} {
		if len(name) > maxName {
			return fmt.Errorf("the name of a claim has at most %d bytes", maxName)
		}
	}
	if i.Introspection == nil {
		return nil
	}
	if err := i.Introspection.validate(by); err != nil {
		return fmt.Errorf("introspection: %w", err)
	}
	if i.JWKS == "" && (i.Profile != "" || len(i.Algorithms) > 0) {
		return errors.New("profile and algorithms are for signatures, and without jwks none is looked at: the issuer is asked about all of its tokens")
	}
	return nil
}

func (n *Introspection) validate(by fetch.Trust) error {
	if err := fetch.CheckURL(n.URL, by); err != nil {
		return err
	}
	switch {
	case n.ClientID == "" || len(n.ClientID) > maxName:
		return fmt.Errorf("client_id has 1 to %d bytes", maxName)
	case n.ClientSecret == "":
		return errors.New("client_secret is missing")
	case n.cache() < 0 || n.cache() > MaxCache:
		return fmt.Errorf("cache is 0s to %s", MaxCache)
	}
	return nil
}

func checkNames(what string, names []string, most int) error {
	if len(names) > most {
		return fmt.Errorf("%s: at most %d", what, most)
	}
	for _, name := range names {
		if name == "" || len(name) > maxName {
			return fmt.Errorf("%s has 1 to %d bytes", what, maxName)
		}
	}
	return nil
}

func (i *Issuer) leeway() time.Duration {
	if i.Leeway == nil {
		return DefaultLeeway
	}
	return time.Duration(*i.Leeway)
}

func (n *Introspection) cache() time.Duration {
	if n.Cache == nil {
		return DefaultCache
	}
	return time.Duration(*n.Cache)
}

// ValidateAll returns what is wrong with the issuers of one guard, beside our own.
func ValidateAll(issuers []Issuer, own string, insecure bool) error {
	if len(issuers) > MaxIssuers {
		return fmt.Errorf("a guard accepts at most %d issuers", MaxIssuers)
	}
	seen, asked := map[string]bool{own: true}, ""
	for i := range issuers {
		issuer := &issuers[i]
		if err := issuer.Validate(insecure); err != nil {
			return err
		}
		if issuer.Issuer == own {
			return fmt.Errorf("issuer %s is our own: its tokens are accepted anyway", own)
		}
		if seen[issuer.Issuer] {
			return fmt.Errorf("issuer %s is there twice", issuer.Issuer)
		}
		seen[issuer.Issuer] = true
		if issuer.Introspection == nil {
			continue
		}
		if asked != "" {
			return fmt.Errorf("issuer %s: %s has introspection already, and a token must not be shown to a server that did not issue it; "+
				"give each a guard of its own", issuer.Issuer, asked)
		}
		asked = issuer.Issuer
	}
	return nil
}

// settings is a text that differs where anything does that a verdict depends on.
func (i *Issuer) settings(by fetch.Trust) []byte {
	text, _ := json.Marshal(struct { // these types always encode
		Issuer Issuer
		By     fetch.Trust
	}{*i, by})
	return text
}
