// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
)

// pathOpenID is where an OpenID Provider describes itself, below its issuer
// identifier (OpenID Connect Discovery §4).
const pathOpenID = "/.well-known/openid-configuration"

// relocateAfter is the age at which the metadata is asked again where the set is.
const relocateAfter = 24 * time.Hour

// location is where a set was found.
type location struct {
	url   string
	by    fetch.Trust
	found time.Time
}

// locate returns where the set is. Only the fetch on its way calls it.
func (k *Keys) locate(ctx context.Context) (string, fetch.Trust, error) {
	if k.source.URL != "" {
		return k.source.URL, k.source.By, nil
	}
	now := k.cache.now()
	if l := k.location; l.url != "" && now.Sub(l.found) < relocateAfter {
		return l.url, l.by, nil
	}
	var failed []error
	for _, place := range metadataOf(k.source.Owner) {
		body, err := k.cache.document(ctx, place, k.source.By)
		if err == nil {
			var l location
			if l, err = readMetadata(body, k.source); err == nil {
				l.found = now
				k.location = l
				return l.url, l.by, nil
			}
		}
		failed = append(failed, fmt.Errorf("metadata at %s: %w", place, err))
	}
	return "", 0, errors.Join(failed...)
}

// metadataOf returns where an issuer may describe itself: RFC 8414 §3.1 puts
// the well-known path before the issuer's own, OpenID Connect after it.
func metadataOf(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	base := u.Scheme + "://" + u.Host
	return []string{base + authz.PathServerMetadata + path, base + path + pathOpenID}
}

var (
	errForeignMetadata = errors.New("the issuer that it names is another one")
	errNoMetadata      = errors.New("it is no metadata of an authorization server")
)

// readMetadata reads where the keys of an issuer are. What its metadata says
// on its own host counts as much as what the operator says; elsewhere it is a
// stranger's word.
func readMetadata(body []byte, source Source) (location, error) {
	var metadata struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if json.Unmarshal(body, &metadata) != nil {
		return location{}, errNoMetadata
	}
	if metadata.Issuer != source.Owner { // RFC 8414 §3.3: identical, or it must not be used
		return location{}, errForeignMetadata
	}
	own, err := url.Parse(source.Owner)
	if err != nil {
		return location{}, errNoMetadata
	}
	l := location{url: metadata.Keys}
	if there, err := url.Parse(metadata.Keys); err == nil && strings.EqualFold(there.Hostname(), own.Hostname()) {
		l.by = source.By
	}
	if err := fetch.CheckURL(l.url, l.by); err != nil {
		return location{}, fmt.Errorf("jwks_uri: %w", err)
	}
	return l, nil
}
