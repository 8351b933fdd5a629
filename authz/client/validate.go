// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Limits of a client's metadata.
const (
	// MaxID is the length in bytes of the longest client id.
	MaxID = 255
	// MaxName is the length in bytes of the longest name.
	MaxName = 200
	// MaxURI is the length in bytes of the longest redirect URI, origin or resource.
	MaxURI = 2000
	// MaxURIs is how many redirect URIs, origins or resources one client may have of each.
	MaxURIs = 50
	// MaxGrantTypes is how many grant types one client may have.
	MaxGrantTypes = 20
	// MinLifetime and MaxLifetime bound how long a token may last.
	MinLifetime = time.Second
	MaxLifetime = 10 * 365 * 24 * time.Hour
)

// AuthMethods lists the ways of client authentication that are on.
func AuthMethods() []string {
	return []string{authz.AuthSecretBasic, authz.AuthSecretPost, authz.AuthSecretJWT, authz.AuthPrivateKeyJWT, authz.AuthNone}
}

// ValidateID reports what is wrong with a client id. The characters allowed are
// those that form encoding and raw transport in HTTP Basic cannot be read
// differently, but for the colon, which a client must encode there.
func ValidateID(id string) error {
	if id == "" || len(id) > MaxID {
		return fmt.Errorf("a client id has 1 to %d characters", MaxID)
	}
	for i := range len(id) {
		if !idCharacter(id[i]) {
			return errors.New("a client id consists of letters, digits and - . _ ~ : / @")
		}
	}
	for segment := range strings.SplitSeq(id, "/") {
		if segment == "." || segment == ".." {
			// RFC 3986 §5.2.4: whoever handles the id as a part of a path removes them.
			return errors.New("a client id must not be . or .. alone, nor have that between slashes")
		}
	}
	return nil
}

func idCharacter(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte("-._~:/@", c) >= 0
}

// ValidateName reports what is wrong with a name for people to read.
func ValidateName(name string) error {
	if len(name) > MaxName || !utf8.ValidString(name) {
		return fmt.Errorf("a name is UTF-8 text of at most %d bytes", MaxName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		// Control and direction characters could make a name look like another.
		return errors.New("a name has printable characters only")
	}
	return nil
}

// ValidateAuthMethod reports whether method is one of [AuthMethods]; empty is the default.
func ValidateAuthMethod(method string) error {
	if method != "" && !slices.Contains(AuthMethods(), method) {
		return fmt.Errorf("auth_method is one of %s", strings.Join(AuthMethods(), ", "))
	}
	return nil
}

// ValidateScopes reports what is wrong with words as a list of scopes.
func ValidateScopes(words []string) error {
	if len(words) > scope.MaxWords {
		return fmt.Errorf("more than %d scopes", scope.MaxWords)
	}
	for _, w := range words {
		if !scope.Valid(w) {
			return fmt.Errorf("%q is not a scope: printable ASCII without space, quote and backslash, at most %d bytes", w, scope.MaxWord)
		}
	}
	return nil
}

// ValidateOrigin reports what is wrong with origin as a web origin (RFC 6454
// §6.2): scheme, host and port as a browser writes them, and nothing after.
func ValidateOrigin(origin string) error {
	u, err := parseURI(origin)
	if err != nil {
		return err
	}
	if u.Scheme != "https" && u.Scheme != "http" || originOf(u) != origin {
		return errors.New("an origin is written like https://app.example.com, in lower case and without a path or the default port")
	}
	return nil
}

// ValidateResource reports what is wrong with uri as the name of a resource: it
// is absolute and has no fragment (RFC 8707 §2).
func ValidateResource(uri string) error {
	u, err := parseURI(uri)
	if err != nil {
		return err
	}
	if u.Host == "" && u.Opaque == "" {
		return errors.New("a resource is an absolute URI such as https://api.example.com or urn:example:api")
	}
	return nil
}

// ValidateFormat reports what is wrong with the name of a token format: it has
// at most 64 lower-case letters, digits and underscores. Empty is the default.
// Whether there is such a format, only the server knows.
func ValidateFormat(name string) error {
	if len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("access_token_format %q is no name of a token format: such are opaque and jwt", name)
	}
	return nil
}

// ValidateLifetime reports whether d is between [MinLifetime] and [MaxLifetime];
// zero is the default.
func ValidateLifetime(d time.Duration) error {
	if d != 0 && (d < MinLifetime || d > MaxLifetime) {
		return fmt.Errorf("a lifetime is between %v and %v", MinLifetime, MaxLifetime)
	}
	return nil
}

// Validate reports everything that is wrong with the client as a whole, the
// parts included.
func (c *Client) Validate() error {
	errs := []error{
		ValidateID(c.ID), ValidateName(c.Name), ValidateAuthMethod(c.AuthMethod),
		ValidateScopes(c.Scopes), ValidateScopes(c.DefaultScopes),
		ValidateLifetime(time.Duration(c.AccessTokenLifetime)),
		ValidateFormat(c.AccessTokenFormat), c.About.validate(),
		validateEach("redirect_uris", c.RedirectURIs, MaxURIs, ValidateRedirectURI),
		validateEach("origins", c.Origins, MaxURIs, ValidateOrigin),
		validateEach("introspects", c.Introspects, MaxURIs, ValidateResource),
		validateEach("grant_types", c.GrantTypes, MaxGrantTypes, validateGrantType),
	}
	if !c.Scopes.Contains(c.DefaultScopes) {
		errs = append(errs, errors.New("default_scopes holds a scope that is not in scopes"))
	}
	return errors.Join(append(errs, c.validateSecrets(), c.validateKeys(), c.validatePublic(), c.validateFlow())...)
}

// validateSecrets checks that there are as many secrets as the authentication
// method has.
func (c *Client) validateSecrets() error {
	switch n := len(c.Secrets); {
	case !c.HasSecret() && n > 0:
		return fmt.Errorf("auth_method %s excludes a secret", c.Method())
	case c.HasSecret() && n == 0:
		return errors.New("the client has no secret; an application that cannot keep one says auth_method none")
	case n > MaxSecrets:
		return fmt.Errorf("more than %d secrets", MaxSecrets)
	}
	return nil
}

// validatePublic refuses what only a client that authenticates may have.
func (c *Client) validatePublic() error {
	switch {
	case c.Confidential():
		return nil
	case c.MayUse(authz.GrantClientCredentials):
		// RFC 6749 §4.4: "MUST only be used by confidential clients".
		return errors.New("client_credentials needs a client that authenticates")
	case len(c.Introspects) > 0:
		// RFC 7662 §2.1 demands authentication.
		return errors.New("introspects needs a client that authenticates")
	}
	return nil
}

// validateGrantType checks the form only: which grant types exist is known
// where they are plugged in.
func validateGrantType(name string) error {
	if !scope.Valid(name) {
		return errors.New("a grant type is a word or a URI")
	}
	return nil
}

func validateEach(name string, values []string, limit int, validate func(string) error) error {
	if len(values) > limit {
		return fmt.Errorf("%s: more than %d", name, limit)
	}
	for i, v := range values {
		if err := validate(v); err != nil {
			return fmt.Errorf("%s: %q: %w", name, v, err)
		}
		if slices.Contains(values[:i], v) {
			return fmt.Errorf("%s: %q stands there twice", name, v)
		}
	}
	return nil
}

// parseURI parses an absolute URI without fragment, of the characters that
// RFC 3986 §2 allows: whatever browsers repair by themselves is refused.
func parseURI(uri string) (*url.URL, error) {
	if uri == "" || len(uri) > MaxURI {
		return nil, fmt.Errorf("a URI has 1 to %d characters", MaxURI)
	}
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return nil, errors.New("a URI has no spaces, control or non-ASCII characters, backslashes or quotes")
		}
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return nil, errors.New("not an absolute URI")
	}
	if strings.Contains(uri, "#") {
		return nil, errors.New("a URI here has no fragment")
	}
	return u, nil
}

// originOf returns the origin of an http or https URI as browsers send it.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	return u.Scheme + "://" + host
}
