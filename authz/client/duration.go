// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"time"
)

// Duration is a length of time that is written as text, such as "90s" or
// "1h30m", in JSON.
type Duration time.Duration

// String returns the text form.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes the text form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads the text form.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New(`a duration is written as text, such as "1h30m"`)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return errors.New(`not a duration, such as "1h30m"`)
	}
	*d = Duration(parsed)
	return nil
}
