// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-jose/go-jose/v4/json"
)

var errNumber = errors.New("a number that is too large")

// Claims are the members of a JSON object as Go values, as with [json.Unmarshal],
// but for whole numbers: they are int64 or uint64 where they fit, because a float64
// makes one of two ids of 64 bits, and one account of two. Other numbers are float64.
type Claims map[string]any

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Claims) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.SetNumberType(json.UnmarshalJSONNumber)
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return err
	}
	for name, value := range object {
		var err error
		if object[name], err = exact(value); err != nil {
			return err
		}
	}
	*c = object
	return nil
}

// exact replaces the numbers in a value, at any depth.
func exact(value any) (_ any, err error) {
	switch value := value.(type) {
	case json.Number:
		return exactNumber(string(value))
	case []any:
		for i, item := range value {
			if value[i], err = exact(item); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name, member := range value {
			if value[name], err = exact(member); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

func exactNumber(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errNumber
	}
	return n, nil
}
