// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
)

// ValidateIssuer reports what is wrong with an issuer identifier (RFC 8414 §2):
// it is an https URL with a host and without query, fragment and user name;
// plain http only on loopback or where insecure is set.
func ValidateIssuer(issuer string, insecure bool) error {
	if err := client.ValidateResource(issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("issuer: not a URL such as https://auth.example.com")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery:
		return errors.New("issuer: a user name or query is not allowed")
	case u.RawPath != "" || u.Path != "" && path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/":
		return errors.New("issuer: the path has encoded slashes, empty or dot segments")
	case u.Scheme == "http" && !insecure && !fetch.IsLoopback(u.Hostname()):
		return errors.New("issuer: plain http is for loopback addresses only, unless insecure_http is set")
	}
	return nil
}

// ValidatePrefix reports what is wrong with a path prefix of the endpoints.
func ValidatePrefix(prefix string) error {
	if prefix == "/" || !strings.HasPrefix(prefix, "/") || path.Clean(prefix) != prefix ||
		url.PathEscape(strings.ReplaceAll(prefix, "/", "")) != strings.ReplaceAll(prefix, "/", "") {
		return errors.New("prefix: not a plain path such as /oauth, without a slash at its end")
	}
	return nil
}

// ValidateErrorURI reports what is wrong with an entry of [Config.ErrorURIs]:
// the code must be one that is used, the page an https or http URL.
func ValidateErrorURI(code, uri string) error {
	known := false
	for _, e := range authz.Errors() {
		known = known || e.Code == code
	}
	if !known {
		return fmt.Errorf("error_uri: there is no error code %q", code)
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("error_uri %s: not an http or https URL", code)
	}
	for i := range len(uri) {
		// RFC 6749 §5.2: the characters %x21 / %x23-5B / %x5D-7E.
		if c := uri[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return fmt.Errorf("error_uri %s: a character that RFC 6749 §5.2 does not allow", code)
		}
	}
	return nil
}
