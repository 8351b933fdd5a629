// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz

// Authentication schemes (RFC 9110 §11.1), as they are written in challenges.
// They are compared without regard to case.
const (
	SchemeBasic  = "Basic"
	SchemeBearer = "Bearer"
	// SchemeSession is ours: the cookie of a guarded site. It is in no challenge, and
	// no Authorization header is of this scheme.
	SchemeSession = "session"
)

// Grant types (RFC 6749, and the registry that it founded).
const (
	GrantClientCredentials = "client_credentials"
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
)

// Response types and modes (RFC 6749 §3.1.1; OAuth 2.0 Multiple Response Type
// Encoding Practices §2.1; OAuth 2.0 Form Post Response Mode).
const (
	ResponseTypeCode     = "code"
	ResponseModeQuery    = "query"
	ResponseModeFragment = "fragment"
	ResponseModeFormPost = "form_post"
)

// Challenge methods (RFC 7636 §4.2).
const (
	ChallengeS256  = "S256"
	ChallengePlain = "plain"
)

// Values of prompt (OpenID Connect Core §3.1.2.1).
const (
	PromptNone          = "none"
	PromptLogin         = "login"
	PromptConsent       = "consent"
	PromptSelectAccount = "select_account"
)

// Authentication context classes, the weakest first: what the `acr` of a sign-in
// can be.
const (
	// ACROneFactor: a password, or a passkey without user verification.
	ACROneFactor = "1"
	// ACRTwoFactors: a password and a second factor, or a passkey with user verification.
	ACRTwoFactors = "2"
)

// Authentication methods (RFC 8176 §2): values of `amr`.
const (
	AMRPassword       = "pwd"
	AMROneTimeCode    = "otp"
	AMRProofOfKey     = "pop"
	AMRUserPresence   = "user"
	AMRManyFactors    = "mfa"
	AMRRecoveryCode   = "recovery" // ours: RFC 8176 has none for it
	AMRExternalSource = "external" // ours: a guest source of users said yes
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

	// Parameters of authorization requests and their answers (RFC 6749 §4.1, RFC
	// 7636 §4, RFC 9126 §4, RFC 9207 §2, OpenID Connect Core §3.1.2.1).
	ParamCode            = "code"
	ParamState           = "state"
	ParamIssuer          = "iss"
	ParamResponseType    = "response_type"
	ParamResponseMode    = "response_mode"
	ParamRedirectURI     = "redirect_uri"
	ParamCodeChallenge   = "code_challenge"
	ParamChallengeMethod = "code_challenge_method"
	ParamCodeVerifier    = "code_verifier"
	ParamRequest         = "request"
	ParamRequestURI      = "request_uri"
	ParamPrompt          = "prompt"
	ParamMaxAge          = "max_age"
	ParamLoginHint       = "login_hint"
	ParamACRValues       = "acr_values"
	ParamNonce           = "nonce"
	ParamRefreshToken    = "refresh_token"
)

// ParamTicket is the parameter by which a browser brings a one-time ticket from the
// issuer to a guarded site.
const ParamTicket = "ticket"

// Cookies of ours have names that begin with CookiePrefix, and where browsers use
// https with CookieHost before that, so that no other host can set them (RFC
// 6265bis §4.1.3.2).
const (
	CookieHost   = "__Host-"
	CookiePrefix = "oauth2_"
	// CookieSite is the cookie of a guarded site at which somebody is signed in.
	CookieSite = CookiePrefix + "site"
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
	// PathSiteSession is where a browser comes back to a guarded site from the
	// issuer, and PathSiteSignOut where a form of the site's signs out.
	PathSiteSession = PathReserved + "session"
	PathSiteSignOut = PathReserved + "signout"
)

// PushedRequestURI is what the request_uri of a pushed request begins with (RFC 9126 §2.2).
const PushedRequestURI = "urn:ietf:params:oauth:request_uri:"
