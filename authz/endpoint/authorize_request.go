// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// authorizationRequest is what an authorization request says, judged. It travels
// through pages as a handle.
type authorizationRequest struct {
	Client string `cbor:"1,keyasint"`
	// RedirectURI is where the answer goes; RedirectNamed says that the request named it.
	RedirectURI   string `cbor:"2,keyasint"`
	RedirectNamed bool   `cbor:"3,keyasint,omitempty"`
	Mode          string `cbor:"4,keyasint"`
	State         string `cbor:"5,keyasint,omitempty"`

	Challenge string    `cbor:"6,keyasint,omitempty"`
	Method    string    `cbor:"7,keyasint,omitempty"`
	Scopes    scope.Set `cbor:"8,keyasint,omitempty"`
	Resources []string  `cbor:"9,keyasint,omitempty"`

	// What prompt has (OpenID Connect Core §3.1.2.1).
	None    bool `cbor:"10,keyasint,omitempty"`
	Login   bool `cbor:"11,keyasint,omitempty"`
	Consent bool `cbor:"12,keyasint,omitempty"`
	Choose  bool `cbor:"13,keyasint,omitempty"`

	MaxAge *int64   `cbor:"14,keyasint,omitempty"` // in seconds
	ACR    []string `cbor:"15,keyasint,omitempty"`
	Hint   string   `cbor:"16,keyasint,omitempty"`

	// Asked is when the browser first came, in milliseconds since 1970.
	Asked int64 `cbor:"17,keyasint"`
	// Pushed is the digest of the name of the pushed request that this is.
	Pushed []byte `cbor:"18,keyasint,omitempty"`
}

const (
	// maxMaxAge is the largest max_age that is told from others: a century.
	maxMaxAge = 100 * 365 * 24 * 60 * 60
	// maxHint is the length in bytes of the longest login_hint that is heeded.
	maxHint = 320
)

// readTarget reads where and how the answer goes. Its errors are told to the person,
// never to whatever the request calls its redirect URI.
func (q *authorizationRequest) readTarget(form url.Values, c *client.Client) error {
	for _, values := range form {
		if !utf8.ValidString(strings.Join(values, "")) {
			return authz.ErrInvalidRequest.Describe("A parameter is no UTF-8 text.")
		}
	}
	q.RedirectURI, q.RedirectNamed = form.Get(authz.ParamRedirectURI), form.Has(authz.ParamRedirectURI)
	switch {
	case q.RedirectNamed && !c.Redirects(q.RedirectURI):
		return errRedirectURI
	case q.RedirectNamed:
	case len(c.RedirectURIs) != 1 || asksOpenID(form):
		// RFC 6749 §3.1.2.3, and OpenID Connect Core §3.1.2.1, where it is required.
		return authz.ErrInvalidRequest.Describe("The parameter redirect_uri is missing.")
	default:
		q.RedirectURI = c.RedirectURIs[0]
	}
	q.State = form.Get(authz.ParamState)
	q.Mode = authz.ResponseModeQuery
	if mode := form.Get(authz.ParamResponseMode); slices.Contains(responseModes(q.RedirectURI), mode) {
		q.Mode = mode
	}
	return nil
}

// responseModes lists how an answer can be sent to a redirect URI. Only browsers can
// post one.
func responseModes(redirectURI string) []string {
	modes := []string{authz.ResponseModeQuery, authz.ResponseModeFragment}
	if strings.HasPrefix(redirectURI, "https:") || strings.HasPrefix(redirectURI, "http:") {
		modes = append(modes, authz.ResponseModeFormPost)
	}
	return modes
}

// asksOpenID reports whether the request asks for the scope openid.
func asksOpenID(form url.Values) bool {
	return slices.Contains(strings.Fields(form.Get(authz.ParamScope)), "openid")
}

// readRequest reads what is left when client and target are known. Its errors are told
// to the client.
func (s *Server) readRequest(q *authorizationRequest, form url.Values, c *client.Client) error {
	if form.Has(authz.ParamRequest) {
		return authz.ErrRequestNotSupported
	}
	switch responseType := form.Get(authz.ParamResponseType); responseType {
	case "":
		return authz.ErrInvalidRequest.Describe("The parameter response_type is missing.")
	case authz.ResponseTypeCode:
	default:
		return authz.ErrUnsupportedResponseType
	}
	if mode := form.Get(authz.ParamResponseMode); mode != "" && mode != q.Mode {
		return authz.ErrInvalidRequest.Describe("The response_mode is not supported.")
	}
	for _, read := range []func(url.Values, *client.Client) error{q.readChallenge, q.readPrompt, q.readSignIn} {
		if err := read(form, c); err != nil {
			return err
		}
	}
	return s.readPermissions(q, form, c)
}

// readChallenge reads the code challenge (RFC 7636 §4.3).
func (q *authorizationRequest) readChallenge(form url.Values, c *client.Client) error {
	q.Challenge, q.Method = form.Get(authz.ParamCodeChallenge), form.Get(authz.ParamChallengeMethod)
	if q.Challenge == "" {
		switch {
		case q.Method != "":
			return authz.ErrInvalidRequest.Describe("The parameter code_challenge is missing.")
		case c.NeedsChallenge(asksOpenID(form) && form.Get(authz.ParamNonce) != ""):
			return authz.ErrInvalidRequest.Describe("The parameter code_challenge is missing: PKCE is required.")
		}
		return nil
	}
	if q.Method == "" {
		q.Method = authz.ChallengePlain // §4.3: "Defaults to plain if not present"
	}
	switch {
	case !slices.Contains(c.ChallengeMethods(), q.Method):
		return authz.ErrInvalidRequest.Describe("The code_challenge_method must be S256.")
	case !granttype.ValidateChallenge(q.Challenge, q.Method):
		return authz.ErrInvalidRequest.Describe("The code_challenge is malformed.")
	}
	return nil
}

// readPrompt reads what the user is to be bothered with (OpenID Connect Core §3.1.2.1).
func (q *authorizationRequest) readPrompt(form url.Values, _ *client.Client) error {
	words := strings.Fields(form.Get(authz.ParamPrompt))
	for _, word := range words {
		switch word {
		case authz.PromptNone:
			q.None = true
		case authz.PromptLogin:
			q.Login = true
		case authz.PromptConsent:
			q.Consent = true
		case authz.PromptSelectAccount:
			q.Choose = true
		default:
			return authz.ErrInvalidRequest.Describe("The prompt is not supported.")
		}
	}
	if q.None && len(words) > 1 {
		return authz.ErrInvalidRequest.Describe("The prompt none stands alone.")
	}
	return nil
}

// readSignIn reads what is wanted of the user's sign-in.
func (q *authorizationRequest) readSignIn(form url.Values, _ *client.Client) error {
	if text := form.Get(authz.ParamMaxAge); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds < 0 {
			return authz.ErrInvalidRequest.Describe("The max_age is no number of seconds.")
		}
		seconds = min(seconds, maxMaxAge)
		q.MaxAge = &seconds
	}
	q.ACR = nil
	if words := strings.Fields(form.Get(authz.ParamACRValues)); len(words) > 0 {
		for _, word := range words {
			if word == authz.ACROneFactor || word == authz.ACRTwoFactors {
				q.ACR = append(q.ACR, word)
			}
		}
		if len(q.ACR) == 0 {
			return authz.ErrUnmetAuthentication
		}
	}
	if hint := form.Get(authz.ParamLoginHint); len(hint) <= maxHint {
		q.Hint = hint
	}
	return nil
}

// readPermissions reads what the client asks to be allowed.
func (s *Server) readPermissions(q *authorizationRequest, form url.Values, c *client.Client) error {
	asked, err := scope.Parse(form.Get(authz.ParamScope))
	if err != nil {
		return authz.ErrInvalidScope.Describe("The scope is malformed.")
	}
	judged := granttype.Request{Scopes: asked, FilterScopes: s.config.FilterScopes}
	if q.Scopes, err = judged.Grantable(c.Scopes, c.Defaults()); err != nil {
		return err
	}
	q.Resources = form[authz.ParamResource]
	for _, resource := range q.Resources {
		if !s.knownResource(resource) {
			return authz.ErrInvalidTarget
		}
	}
	return nil
}
