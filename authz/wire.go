// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz

// Authentication schemes (RFC 9110 §11.1), as they are written in challenges.
// They are compared without regard to case.
const (
	SchemeBasic  = "Basic"
	SchemeBearer = "Bearer"
)

// Grant types (RFC 6749, and the registry that it founded).
const (
	GrantClientCredentials = "client_credentials"
)

// Client authentication methods (RFC 7591 §2).
const (
	AuthSecretBasic = "client_secret_basic"
	AuthSecretPost  = "client_secret_post"
	AuthNone        = "none"
	// AuthSecretJWT: an assertion under a MAC whose key is the secret (OpenID Connect Core §9).
	AuthSecretJWT = "client_secret_jwt"
	// AuthPrivateKeyJWT: an assertion that the client signs with a key of its own (OpenID Connect Core §9).
	AuthPrivateKeyJWT = "private_key_jwt"
)

// AssertionTypeJWT says that a client authenticates by a JWT (RFC 7523 §2.2).
const AssertionTypeJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Request and response parameters.
const (
	ParamClientID     = "client_id"
	ParamClientSecret = "client_secret"
	// ParamClientAssertion and ParamClientAssertionType carry what authenticates a
	// client without its secret (RFC 7521 §4.2).
	ParamClientAssertion     = "client_assertion"
	ParamClientAssertionType = "client_assertion_type"
	ParamGrantType           = "grant_type"
	ParamScope               = "scope"
	ParamResource            = "resource"
	ParamToken               = "token"
	ParamAccessToken         = "access_token"
	ParamError               = "error"
	ParamErrorDescription    = "error_description"
	ParamErrorURI            = "error_uri"
)

// MediaTypeForm is the type of forms in bodies (RFC 6749 appendix B).
const MediaTypeForm = "application/x-www-form-urlencoded"

// Token types of answers (RFC 6750 §4).
const (
	TokenTypeBearer = "Bearer"
)

// Well-known paths.
const (
	// PathServerMetadata is where an authorization server describes itself (RFC 8414 §3).
	PathServerMetadata = "/.well-known/oauth-authorization-server"
	// PathResourceMetadata is where a protected resource describes itself (RFC 9728 §3).
	PathResourceMetadata = "/.well-known/oauth-protected-resource"
	// PathReserved is the prefix that the guard keeps for itself on every guarded host.
	PathReserved = "/.oauth2/"
)
