// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package authz

import "strings"

// CanonicalResource leaves away the slash that makes an empty path (RFC 3986
// §6.2.3), so that https://api.example.com/ is https://api.example.com. It does
// not allocate.
func CanonicalResource(resource string) string {
	if bare, slashed := strings.CutSuffix(resource, "/"); slashed && strings.Count(bare, "/") == 2 {
		return bare
	}
	return resource
}

// SameResource reports whether two identifiers (RFC 8707 §2) name one resource:
// they are compared exactly, but for that slash. It does not allocate.
func SameResource(a, b string) bool {
	return a == b || CanonicalResource(a) == CanonicalResource(b)
}
