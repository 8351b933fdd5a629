// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// snippet is text to copy.
type snippet struct{ ID, Text string }

// snippets are ready to use with a new client.
func snippets(p DeveloperSecret) []snippet {
	return []snippet{{"curl", curl(p)}, {"javascript", javascript(p)}, {"caddyfile", caddyfile(p)}}
}

// The verifier and its challenge of RFC 7636 appendix B: good for one's first try.
const (
	sampleVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	sampleChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// curl is a first try by hand.
func curl(p DeveloperSecret) string {
	ask := url.Values{
		"response_type": {"code"}, "client_id": {p.ID}, "redirect_uri": {p.RedirectURI}, "scope": {p.Scope}, "state": {"first-try"},
		"code_challenge": {sampleChallenge}, "code_challenge_method": {"S256"},
	}
	lines := []string{"curl " + word(p.TokenEndpoint)}
	switch {
	case p.Secret != "" && p.AuthMethod == authz.AuthSecretBasic:
		lines = append(lines, "--user "+word(p.ID+":"+p.Secret))
	case p.Secret != "":
		lines = append(lines, "-d "+word("client_id="+p.ID), "-d "+word("client_secret="+p.Secret))
	case p.AuthMethod == authz.AuthPrivateKeyJWT:
		lines = append(lines, "-d "+word("client_id="+p.ID), "-d "+authz.ParamClientAssertionType+"="+authz.AssertionTypeJWT,
			"-d "+authz.ParamClientAssertion+"=…") // a JWT that the client signs (RFC 7523 §2.2)
	default:
		lines = append(lines, "-d "+word("client_id="+p.ID))
	}
	lines = append(lines, "-d grant_type=authorization_code", "--data-urlencode "+word("redirect_uri="+p.RedirectURI),
		"-d code_verifier="+sampleVerifier, "-d code=…")
	return "# 1. Open in a browser:\n# " + p.AuthorizationEndpoint + "?" + ask.Encode() +
		"\n# 2. Exchange the code that arrives at the redirect URI, within a minute:\n" + strings.Join(lines, " \\\n  ") + "\n"
}

// javascript is a client on npm's openid-client.
func javascript(p DeveloperSecret) string {
	proof, key := "oauth.None()", ""
	switch {
	case p.Secret != "" && p.AuthMethod == authz.AuthSecretBasic:
		proof = "oauth.ClientSecretBasic(process.env.CLIENT_SECRET)"
	case p.Secret != "":
		proof = "oauth.ClientSecretPost(process.env.CLIENT_SECRET)"
	case p.AuthMethod == authz.AuthPrivateKeyJWT:
		proof, key = "oauth.PrivateKeyJwt({ key, kid: jwk.kid })", importKey
	}
	options := "{ algorithm: 'oauth2' }"
	if strings.HasPrefix(p.Issuer, "http:") {
		options = "{ algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] }"
	}
	return `// npm install openid-client
import * as oauth from 'openid-client'
` + key + `
const config = await oauth.discovery(new URL(` + quoted(p.Issuer) + `), ` + quoted(p.ID) + `,
  undefined, ` + proof + `, ` + options + `)

// Keep both in the user's session.
const verifier = oauth.randomPKCECodeVerifier()
const state = oauth.randomState()

// Send the user here:
const url = oauth.buildAuthorizationUrl(config, {
  redirect_uri: ` + quoted(p.RedirectURI) + `,
  scope: ` + quoted(p.Scope) + `,
  state,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
})

// At the redirect URI, with the URL that was called:
const tokens = await oauth.authorizationCodeGrant(config, called,
  { pkceCodeVerifier: verifier, expectedState: state })
`
}

// importKey reads the key of a client that signs assertions.
const importKey = `
// The private key of one whose public half the client publishes, as a JWK.
const jwk = JSON.parse(process.env.CLIENT_KEY)
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
`

// caddyfile is a site that lets the client's tokens pass.
func caddyfile(p DeveloperSecret) string {
	return "api.example.com {\n\toauth2_protect " + strings.TrimSpace("/* "+p.Scope) + "\n\treverse_proxy localhost:8080\n}\n"
}

// word writes text as one word of a shell.
func word(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// quoted writes text as a string of JavaScript.
func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}
