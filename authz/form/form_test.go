// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package form

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Ensure that a form comes back as it was sent, and that nothing else is read. Rows
// B05, B09, B10 and U02.
func TestRead(t *testing.T) {
	const limit = 20
	const usual = authz.MediaTypeForm
	long := strings.Repeat("x", limit+1)
	for name, c := range map[string]struct {
		types    []string
		encoding string
		body     io.Reader
		want     *authz.Error
	}{
		"a form":                {types: []string{usual}, body: strings.NewReader("a=%20&b")},
		"with a charset":        {types: []string{usual + "; charset=UTF-8"}, body: strings.NewReader("a=%20&b")},
		"in capitals":           {types: []string{strings.ToUpper(usual)}, body: strings.NewReader("a=%20&b")},
		"no type":               {body: strings.NewReader("a=b"), want: authz.ErrUnsupportedMediaType},
		"two types":             {types: []string{usual, usual}, body: strings.NewReader("a=b"), want: authz.ErrUnsupportedMediaType},
		"a list of types":       {types: []string{usual + ", text/plain"}, body: strings.NewReader("a=b"), want: authz.ErrUnsupportedMediaType},
		"text":                  {types: []string{"text/plain"}, body: strings.NewReader("a=b"), want: authz.ErrUnsupportedMediaType},
		"multipart":             {types: []string{"multipart/form-data; boundary=x"}, body: strings.NewReader("--x--"), want: authz.ErrUnsupportedMediaType},
		"compressed":            {types: []string{usual}, encoding: "gzip", body: strings.NewReader("a=b"), want: authz.ErrUnsupportedMediaType},
		"too long":              {types: []string{usual}, body: strings.NewReader(long), want: authz.ErrTooLarge},
		"too long, unannounced": {types: []string{usual}, body: io.MultiReader(strings.NewReader(long)), want: authz.ErrTooLarge},
		"cut off":               {types: []string{usual}, body: iotest.ErrReader(io.ErrUnexpectedEOF), want: authz.ErrInvalidRequest},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", c.body)
		r.Header["Content-Type"] = c.types
		r.Header.Set("Content-Encoding", c.encoding)
		body, err := Read(httptest.NewRecorder(), r, limit)
		switch {
		case c.want == nil && (err != nil || body != "a=%20&b"):
			t.Errorf("%s: %q, %v", name, body, err)
		case c.want != nil && (body != "" || !errors.Is(err, c.want)):
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
}
