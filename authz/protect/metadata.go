// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// metadataAge is how long clients may keep the metadata, in seconds.
const metadataAge = "300"

// resourceMetadata is the document of RFC 9728 §2.
type resourceMetadata struct {
	Resource             string    `json:"resource"`
	AuthorizationServers []string  `json:"authorization_servers"`
	ScopesSupported      scope.Set `json:"scopes_supported,omitempty"`
	BearerMethods        []string  `json:"bearer_methods_supported"`
}

// resource returns the identifier of the site that r is for, or "".
func (g *Guard) resource(r *http.Request) string {
	if g.config.Resource == nil {
		return ""
	}
	return g.config.Resource(r)
}

// serveOwn answers for the paths that the guard keeps for itself: the
// metadata of the protected resource, for everybody to read, where browsers come by
// to sign in or out, and nothing else.
func (g *Guard) serveOwn(w http.ResponseWriter, r *http.Request, d decision) error {
	delete(r.Header, "Authorization")
	if done, err := g.visited(w, r, d); done {
		return err
	}
	h := w.Header()
	resource := g.resource(r)
	if resource == "" || r.URL.Path != metadataPath(resource) {
		return writeJSON(w, r, http.StatusNotFound, map[string]string{"error": "not_found"})
	}
	h.Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.Set("Cache-Control", "max-age="+metadataAge)
		return writeJSON(w, r, http.StatusOK, resourceMetadata{
			Resource:             resource,
			AuthorizationServers: g.config.issuers(),
			ScopesSupported:      g.scopes,
			BearerMethods:        g.config.bearerMethods(),
		})
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	h.Set("Allow", "GET, HEAD, OPTIONS")
	return writeJSON(w, r, http.StatusMethodNotAllowed, map[string]string{"error": authz.ErrMethodNotAllowed.Code})
}

// metadataPath returns where the metadata of a resource is: the well-known
// path, then the resource's own (RFC 9728 §3.1).
func metadataPath(resource string) string {
	u, err := url.Parse(resource)
	if err != nil {
		return authz.PathResourceMetadata
	}
	return authz.PathResourceMetadata + strings.TrimSuffix(u.Path, "/")
}

// metadataURL returns the same as a URL, or "" where there is no resource.
func metadataURL(resource string) string {
	u, err := url.Parse(resource)
	if err != nil || u.Host == "" {
		return ""
	}
	own := url.URL{Scheme: u.Scheme, Host: u.Host, Path: metadataPath(resource), RawQuery: u.RawQuery}
	return own.String()
}
