// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"io"
	"net/http"
)

// separate returns a copy of r whose trailers are its own, filtered. The
// server writes the trailers that arrive after the body, announced or not,
// into the request that it made; what goes upstream must not share them.
// Requests that cannot have trailers are returned as they are.
func (g *Guard) separate(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength >= 0 && len(r.Trailer) == 0 {
		return r
	}
	out := r.WithContext(r.Context())
	if len(r.Trailer) == 0 {
		return out // nothing was announced: what arrives nevertheless stays behind
	}
	out.Trailer = make(http.Header, len(r.Trailer))
	for name := range r.Trailer {
		if g.names.find(name) == pass {
			out.Trailer[name] = nil
		}
	}
	out.Body = &trailerBody{ReadCloser: r.Body, from: r.Trailer, to: out.Trailer}
	return out
}

// trailerBody copies the trailers that may pass once the body has been read,
// which is when they have arrived (see [http.Request].Trailer).
type trailerBody struct {
	io.ReadCloser
	from, to http.Header
}

func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		for name := range b.to {
			if values, sent := b.from[name]; sent {
				b.to[name] = values
			}
		}
	}
	return n, err
}
