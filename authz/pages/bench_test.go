// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Config{Prefix: testPrefix}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	s := newSet(b, Config{})
	for _, sample := range samples() {
		switch sample.name {
		case "signin", "consent", "admin-audit":
			b.Run(sample.name, func(b *testing.B) {
				r := request("de-AT,de;q=0.9,en;q=0.8")
				for b.Loop() {
					if err := s.Render(httptest.NewRecorder(), r, http.StatusOK, sample.page); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
