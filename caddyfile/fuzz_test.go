// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package caddyfile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-oauth2/caddy-oauth2/module"
)

// position is how an error says where it is.
var position = regexp.MustCompile(`Caddyfile:\d+`)

// FuzzCaddyfile: see checkCaddyfile. The fuzzer instruments all of Caddy, which
// takes minutes to build; TestMutations needs no such build.
func FuzzCaddyfile(f *testing.F) {
	for _, input := range corpus(f) {
		f.Add(input)
	}
	f.Fuzz(checkCaddyfile)
}

// Ensure that the property of checkCaddyfile holds for Caddyfiles with tokens
// left out, repeated, exchanged and taken from one another.
func TestMutations(t *testing.T) {
	inputs := corpus(t)
	token := regexp.MustCompile(`[^\s]+|\s+`)
	var tokens []string
	for _, input := range inputs {
		tokens = append(tokens, token.FindAllString(input, -1)...)
	}
	tokens = append(tokens, `"`, "`", "\\", "{$X}", "{", "}", "\n", "@x", "*", "/", "|", "\x00", "\u2028", "<<EOF", "0", "-1", "999999h")
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		words := token.FindAllString(inputs[random.IntN(len(inputs))], -1)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(words))
			switch random.IntN(4) {
			case 0:
				words[at] = ""
			case 1:
				words[at] += " " + words[at]
			case 2:
				words[at] = tokens[random.IntN(len(tokens))]
			case 3:
				other := random.IntN(len(words))
				words[at], words[other] = words[other], words[at]
			}
		}
		checkCaddyfile(t, strings.Join(words, ""))
		if t.Failed() {
			t.Fatalf("with the Caddyfile\n%s", strings.Join(words, ""))
		}
	}
}

// corpus returns the Caddyfiles of testdata.
func corpus(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil {
		t.Fatal(err)
	}
	var inputs []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, _, _ := strings.Cut(string(content), separator)
		inputs = append(inputs, input)
	}
	return inputs
}

// checkCaddyfile: whatever stands in our blocks, adapting neither panics nor
// accepts what JSON would not; what it accepts is the same after a round trip,
// and what it refuses it refuses with file and line.
func checkCaddyfile(t *testing.T, input string) {
	if strings.Contains(input, "import") {
		return // it would read files
	}
	got, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		if strings.Contains(err.Error(), "tokens for 'oauth2") && !position.MatchString(err.Error()) {
			t.Errorf("an error without file and line: %v", err)
		}
		return
	}
	var config struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(got, &config); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, config.Apps["oauth2"], new(module.App))
	for _, guard := range guards(t, got) {
		roundTrip(t, guard, new(module.Protect))
	}
}

// roundTrip checks that JSON decodes into a module and encodes to the same.
func roundTrip(t *testing.T, raw json.RawMessage, into caddy.Module) {
	t.Helper()
	if raw == nil {
		return
	}
	if err := caddy.StrictUnmarshalJSON(raw, into); err != nil {
		t.Fatalf("%s does not decode: %v", raw, err)
	}
	again, err := json.Marshal(into)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := canonical(t, raw), canonical(t, again); a != b {
		t.Errorf("%s\nis after a round trip\n%s", a, b)
	}
}

// canonical writes JSON with its keys in order.
func canonical(t *testing.T, raw []byte) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(value)
}

// guards finds the oauth2_protect handlers in a configuration.
func guards(t *testing.T, raw []byte) []json.RawMessage {
	t.Helper()
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	var found []json.RawMessage
	var search func(any)
	search = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, v := range value {
				search(v)
			}
		case map[string]any:
			if value["handler"] == "oauth2_protect" {
				delete(value, "handler")
				guard, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, guard)
				return
			}
			for _, v := range value {
				search(v)
			}
		}
	}
	search(value)
	return found
}
