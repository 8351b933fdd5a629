// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Ensure that each folder of peers is that of a peer with a README, and that every
// file that a peer is started with can be filled with what is known.
func TestPeersHaveTheirFiles(t *testing.T) {
	folders, err := os.ReadDir("peers")
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) != len(peerKinds) {
		t.Errorf("%d folders for %d peers", len(folders), len(peerKinds))
	}
	facts := peerFacts{
		Dir: "/run/peer", Listen: "127.0.0.1:1001", Admin: "127.0.0.1:1002", Spare: "127.0.0.1:1003", Upstream: "127.0.0.1:1004",
		Guarded: "127.0.0.1:1005", Issuer: "http://127.0.0.1:1006", JWKS: "http://127.0.0.1:1006/keys",
	}
	for name, kind := range peerKinds {
		if about, err := os.ReadFile(filepath.Join("peers", name, "README.md")); err != nil || !strings.HasPrefix(string(about), "Compared: ") {
			t.Errorf("%s: %q, error %v", name, about, err)
		}
		for _, file := range kind.files {
			text, err := os.ReadFile(filepath.Join("peers", name, file))
			if err != nil {
				t.Fatal(err)
			}
			out, err := filledIn(file, text, facts)
			if err != nil || bytes.Contains(out, []byte("{{")) || bytes.Contains(out, []byte("<no value>")) {
				t.Errorf("%s: error %v, filled:\n%s", name, err, out)
			}
			if filepath.Ext(file) == ".json" && !json.Valid(out) {
				t.Errorf("%s: no JSON:\n%s", name, out)
			}
		}
	}
}

// Ensure that gates may name every figure of peers, and no two figures have a name.
func TestPeersHaveKeysOfTheirOwn(t *testing.T) {
	keys := peerKeys()
	for _, want := range []string{"own-jwt", "peer-nginx-auth-cpu", "peer-hydra-16"} {
		if !slices.Contains(keys, want) {
			t.Errorf("no %s among %v", want, keys)
		}
	}
	slices.Sort(keys)
	if n := len(keys); len(slices.Compact(keys)) != n {
		t.Error("two figures have the same key")
	}
	if err := promised().enforce("peer-caddy-jwt=0.1", false); err != nil {
		t.Error(err)
	}
}

// Ensure that -peer takes known names with something at the path, and that the part
// is not asked for in vain.
func TestPeerFlag(t *testing.T) {
	here := t.TempDir()
	o, err := parse([]string{"-peer", "nginx=" + here, "-peer", "oidc-provider=."})
	if err != nil || o.peers["nginx"] != here || !filepath.IsAbs(o.peers["oidc-provider"]) {
		t.Errorf("peers %v, error %v", o.peers, err)
	}
	for _, bad := range [][]string{
		{"-peer", "apache=" + here}, {"-peer", "nginx"}, {"-peer", "nginx="}, {"-peer", "nginx=" + filepath.Join(here, "none")}, {"-parts", "peers"},
	} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
