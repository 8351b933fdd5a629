// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

// Ensure that equal parts of a client's tokens become one, and that a token with
// other parts, of the same client or another, keeps its own.
func TestEqualPartsAreShared(t *testing.T) {
	of := func(client, word, resource string) *Record {
		return &Record{Client: client, Scopes: scope.Of(word), Audience: []string{resource}}
	}
	first, second := of("share-a", "read", "https://a"), of("share-a", "read", "https://a")
	first.Share()
	second.Share()
	if unsafe.SliceData(first.Scopes) != unsafe.SliceData(second.Scopes) || unsafe.SliceData(first.Audience) != unsafe.SliceData(second.Audience) {
		t.Error("two tokens with equal parts have them twice")
	}
	for _, r := range []*Record{of("share-a", "write", "https://a"), of("share-a", "read", "https://b"), of("share-b", "read", "https://a")} {
		before := *r
		r.Share()
		if !reflect.DeepEqual(*r, before) {
			t.Errorf("%v became %v", before, *r)
		}
	}
}
