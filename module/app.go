// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is an OAuth 2.0 authorization server and the shared part of the guards
// that enforce its tokens. It holds the issuer, the scopes, the clients and the
// token store; the handlers `oauth2_server` and `oauth2_protect` put them to work.
type App struct {
	// The issuer identifier (RFC 8414 §2): an https URL without query and
	// fragment. It stands in metadata and tokens exactly as written here, and is
	// never taken from a request. http is accepted for loopback addresses, and
	// elsewhere with `insecure_http`. Required.
	Issuer string `json:"issuer,omitempty"`

	// The path under which the OAuth endpoints are served, such as
	// `/oauth/token`. Default: `/oauth`.
	Prefix string `json:"prefix,omitempty"`

	// All scopes there are.
	Scopes []Scope `json:"scopes,omitempty"`

	// What happens when a client asks for a scope that it may not have:
	// `refuse` answers invalid_scope, `filter` leaves the scope out (RFC 6749
	// §3.3). Default: `refuse`.
	ScopePolicy string `json:"scope_policy,omitempty"`

	// Clients known by configuration. Their secrets may be placeholders such as
	// `{file./run/secrets/shop}` and `{env.SHOP_SECRET}`, resolved once, when the
	// configuration is loaded. Clients can also be kept in the store (`caddy oauth2
	// client add`); where both have one id, the one here counts.
	Clients []client.Declaration `json:"clients,omitempty"`

	// What the assertions of clients are made for (`auth_method` `private_key_jwt`
	// and `client_secret_jwt`): `issuer`, or with `token_url` also the URL of the
	// token endpoint, as older clients have it. A malicious server can make a client
	// that does so authenticate here in its place. Default: `issuer`.
	AssertionAudience string `json:"assertion_audience,omitempty"`

	// How access tokens are made.
	AccessToken AccessToken `json:"access_token,omitzero"`

	// Where tokens and grants are kept: a module of namespace `oauth2.stores`.
	// Default: `bolt`, a file in Caddy's data directory.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=oauth2.stores inline_key=module"`

	// Where the keys are that seal what the store must be able to give back:
	// placeholders such as `{file./etc/caddy/seal.key}` and `{env.SEAL_KEY}`, for 32
	// bytes in base64 each, resolved once, when the configuration is loaded. The
	// first seals, all open; put a new one first and keep the old one until `caddy
	// oauth2 key rotate --seal` is done. Default: a file of mode 0600 beside the store, made with a new store.
	SealKeys []string `json:"seal_key,omitempty"`

	// How many verified tokens and their anchors are kept in memory; a negative
	// number turns the cache off. Default: `200000`.
	CacheEntries int `json:"cache,omitempty"`

	// How clients send users here to be asked for what the client wants.
	Authorize Authorize `json:"authorize,omitzero"`

	// Further settings of grant types, modules of namespace
	// `oauth2.grant_types`. Default: every built-in one, with its defaults; which
	// of them a client may use, is up to the client.
	GrantTypesRaw caddy.ModuleMap `json:"grant_types,omitempty" caddy:"namespace=oauth2.grant_types"`

	// Pages that explain error codes, by code: the `error_uri` of answers (RFC
	// 6749 §5.2). Default: a built-in page for each code.
	ErrorURIs map[string]string `json:"error_uris,omitempty"`

	// The people who may sign in.
	Users Users `json:"users,omitzero"`

	// How long people stay signed in.
	Sessions Sessions `json:"sessions,omitzero"`

	// How the pages look that people see.
	Brand Brand `json:"brand,omitzero"`

	// A folder with templates that take the place of built-in ones of the same file
	// name, such as `signin.html`, and with a `style.css` that follows the built-in
	// one. They are read once, when the configuration is loaded, and one that is broken
	// is an error. May have placeholders. Default: none.
	Pages string `json:"pages,omitempty"`

	// Who may register clients of their own.
	Developers Developers `json:"developers,omitzero"`

	// Accept plain http beyond loopback, as issuer and at guarded sites. Everybody
	// on the way can then read and use the tokens. Default: false.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	ctx        caddy.Context
	log        *zap.Logger
	gate       gate
	engine     tokenstore.Engine
	sealKeys   []tokenstore.SealKey
	registry   *client.Registry
	format     token.Format            // of access tokens
	formats    map[string]token.Format // all there are, by name
	verifier   *token.Verifier
	users      *user.Directory
	people     people
	front      floor // all that is served to whoever comes to the server
	grantTypes map[string]granttype.GrantType
	endpoints  *endpoint.Server
	recorder   *recorder

	// guards are the configuration's, in no order; resources what they guard;
	// served the sites where the endpoints are, elsewhere the hosts of those at which
	// no pages are. All are complete once the gate is open.
	guards    []*Protect
	resources map[string]bool
	served    map[string]bool
	elsewhere map[string]bool

	// keeping are the servers that note the connection of each request.
	keeping []*caddyhttp.Server

	// What Start has taken, and Cleanup lets go of. identity is empty when there
	// is nothing to let go of.
	identity string
	runtime  *runtime
	inForce  *settings
}
