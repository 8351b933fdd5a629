// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
)

// metadataAge is how long metadata and keys may be kept by whoever reads them.
var metadataAge = "public, max-age=" + strconv.Itoa(int(keyring.PublishedFor/time.Second))

// metadata is how the server describes itself (RFC 8414 §2). It lists exactly
// what is on.
type metadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	KeysURI               string   `json:"jwks_uri,omitempty"`
	ScopesSupported       []string `json:"scopes_supported,omitempty"`
	AuthorizationEndpoint string   `json:"authorization_endpoint,omitempty"`
	PushEndpoint          string   `json:"pushed_authorization_request_endpoint,omitempty"`
	// Whether requests must be pushed (RFC 9126 §5).
	PushRequired bool `json:"require_pushed_authorization_requests,omitempty"`
	// Whether the answers of the authorization endpoint name the issuer (RFC 9207 §3).
	AnswersNameIssuer bool     `json:"authorization_response_iss_parameter_supported,omitempty"`
	ResponseModes     []string `json:"response_modes_supported,omitempty"`
	ChallengeMethods  []string `json:"code_challenge_methods_supported,omitempty"`
	PromptValues      []string `json:"prompt_values_supported,omitempty"`
	ACRValues         []string `json:"acr_values_supported,omitempty"`
	// Required, and empty while there is no authorization endpoint.
	ResponseTypesSupported   []string `json:"response_types_supported"`
	GrantTypesSupported      []string `json:"grant_types_supported"`
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	// What clients may sign their assertions with.
	TokenAuthAlgs         []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthAlgs    []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuthAlgs []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
}

// renderMetadata makes the document once, with the keys of access tokens or
// without. Nothing of a request is in it.
func (s *Server) renderMetadata(keys bool) []byte {
	base := s.origin + s.config.Prefix
	methods := client.AuthMethods()
	algs := append(client.AuthSigningAlgs(), jose.Ed25519) // for clients that know EdDSA by its newer name only
	proving := slices.DeleteFunc(client.AuthMethods(), func(method string) bool { return method == authz.AuthNone })
	described := metadata{
		Issuer:                   s.config.Issuer,
		TokenEndpoint:            base + pathToken,
		RevocationEndpoint:       base + "/revoke",
		IntrospectionEndpoint:    base + "/introspect",
		ScopesSupported:          s.config.Scopes,
		ResponseTypesSupported:   []string{},
		GrantTypesSupported:      append([]string{}, s.grantTypes()...),
		TokenAuthMethods:         methods,
		RevocationAuthMethods:    methods,
		IntrospectionAuthMethods: proving,
		TokenAuthAlgs:            algs,
		RevocationAuthAlgs:       algs,
		IntrospectionAuthAlgs:    algs,
	}
	if s.config.SignIn != nil {
		s.describeAuthorization(&described)
	}
	if keys {
		described.KeysURI = base + pathKeys
	}
	doc, err := json.Marshal(described)
	if err != nil {
		panic("endpoint: the metadata cannot be encoded: " + err.Error()) // strings only
	}
	return doc
}

// describeAuthorization adds what there is for people. Method plain of code challenges
// is not told of: it is for old clients that know of it (RFC 9700 §2.1.1).
func (s *Server) describeAuthorization(m *metadata) {
	base := s.origin + s.config.Prefix
	m.AuthorizationEndpoint, m.PushEndpoint, m.PushRequired = base+pathAuthorize, base+pathPush, s.config.RequirePAR
	m.AnswersNameIssuer = true
	m.ResponseTypesSupported = []string{authz.ResponseTypeCode}
	m.ResponseModes = []string{authz.ResponseModeQuery, authz.ResponseModeFragment, authz.ResponseModeFormPost}
	m.ChallengeMethods = []string{authz.ChallengeS256}
	m.PromptValues = []string{authz.PromptNone, authz.PromptLogin, authz.PromptConsent, authz.PromptSelectAccount}
	m.ACRValues = []string{authz.ACROneFactor, authz.ACRTwoFactors}
}

// metadataPaths returns where the metadata of an issuer of the given path is
// found: the well-known name before that path (RFC 8414 §3.1), and after it,
// where many clients look too (§5).
func metadataPaths(issuerPath string) []string {
	issuerPath = strings.TrimSuffix(issuerPath, "/") // §3.1: a terminating slash is removed
	return []string{authz.PathServerMetadata + issuerPath, issuerPath + authz.PathServerMetadata}
}

func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) error {
	document := s.metadata
	if s.signs(r.Context()) {
		document = s.metadataWithKeys
	}
	return s.servePublic(w, r, "application/json", func() ([]byte, error) { return document, nil })
}

// servePublic serves a document that everybody may read and keep for a while.
func (s *Server) servePublic(w http.ResponseWriter, r *http.Request, mediaType string, document func() ([]byte, error)) error {
	h := w.Header()
	allowAnyOrigin(h)
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Allow-Headers", "*")
		h.Set("Access-Control-Max-Age", preflightAge)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if ok, err := s.allowMethods(w, r, http.MethodGet, http.MethodHead); !ok {
		return err
	}
	text, err := document()
	if err != nil {
		return authz.ErrTemporarilyUnavailable.Because(err)
	}
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", metadataAge)
	h.Set("X-Content-Type-Options", "nosniff")
	// A client that hangs up is no trouble of ours.
	_, _ = w.Write(text)
	return nil
}
