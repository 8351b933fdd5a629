// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed page.css
var sheet string

//go:embed page.js
var script string

// asset is a file that pages use.
type asset struct {
	mediaType string
	content   []byte
}

// serve takes an asset into the set and returns its path, which changes with its content.
func (s *Set) serve(ext, mediaType string, content []byte) string {
	digest := sha256.Sum256(content)
	name := hex.EncodeToString(digest[:12]) + "." + ext
	s.assets[name] = asset{mediaType, content}
	return s.prefix + PathAssets + name
}

// assetPolicy keeps scripts in a picture from running when it is opened by itself.
const assetPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"

// Assets serves the stylesheet, the script and the logos: requests whose path
// begins with the prefix and [PathAssets]. It answers every one of them.
func (s *Set) Assets(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, s.prefix+PathAssets)
	a, ok := s.assets[name]
	h := w.Header()
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case ok:
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	default:
		// A page that was sent before a reload asks for what was current then.
		if a, ok = s.successor(name); !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Type", a.mediaType)
	h.Set("Content-Security-Policy", assetPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
}

// successor is today's stylesheet or script.
func (s *Set) successor(name string) (asset, bool) {
	for _, current := range []string{s.css, s.js} {
		if path.Ext(name) == path.Ext(current) {
			return s.assets[path.Base(current)], true
		}
	}
	return asset{}, false
}
