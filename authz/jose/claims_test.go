// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"reflect"
	"testing"

	"github.com/go-jose/go-jose/v4/json"
)

// Ensure that whole numbers of 64 bits keep all their digits, at any depth: two
// accounts must not become one.
func TestAttackAccountsThatRoundToEachOther(t *testing.T) {
	for text, want := range map[string]Claims{
		`{"a":9007199254740993}`:                       {"a": int64(9007199254740993)},
		`{"a":-9007199254740993}`:                      {"a": int64(-9007199254740993)},
		`{"a":18446744073709551615}`:                   {"a": uint64(18446744073709551615)},
		`{"a":[{"b":9007199254740993}],"c":{"d":[1]}}`: {"a": []any{map[string]any{"b": int64(9007199254740993)}}, "c": map[string]any{"d": []any{int64(1)}}},
		`{"a":1.5,"b":"x","c":true,"d":null}`:          {"a": 1.5, "b": "x", "c": true, "d": nil},
		`{"a":100000000000000000000000}`:               {"a": 1e23},
	} {
		var got Claims
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v", text, got, err)
		}
	}
	for _, text := range []string{`{"a":1e999}`, `{"a":[1e999]}`, `{"a":{"b":1e999}}`, `{"a":1,"a":2}`, `[]`, `7`} {
		if json.Unmarshal([]byte(text), new(Claims)) == nil {
			t.Errorf("%s is read", text)
		}
	}
}
