// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ensure that a backup which did not arrive whole leaves no file, whichever way it
// failed, and that what was there before is kept.
func TestABackupThatIsNotWholeIsNone(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"cut off": func(w http.ResponseWriter) {
			w.Header().Set("Trailer", backupDigestHeader)
			w.Write(make([]byte, 1<<20))
			panic(http.ErrAbortHandler)
		},
		"without its digest": func(w http.ResponseWriter) { w.Write(make([]byte, 1<<20)) },
		"with another digest": func(w http.ResponseWriter) {
			w.Header().Set("Trailer", backupDigestHeader)
			w.Write(make([]byte, 1<<20))
			w.Header().Set(backupDigestHeader, strings.Repeat("0", 64))
		},
		"refused": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			w.Write([]byte(`{"error":"not from here"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
			defer server.Close()
			address := strings.TrimPrefix(server.URL, "http://")
			dir := t.TempDir()
			file := filepath.Join(dir, "backup.db")
			if err := os.WriteFile(file, []byte("yesterday's"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, output := range []string{file, "-"} {
				e := command(t, "", "backup", "--output", output, "--force", "--address", address)
				if want := map[bool]int{true: exitRefused, false: exitTrouble}[name == "refused"]; e.code != want {
					t.Errorf("to %s: exit code %d, want %d: %s", output, e.code, want, e.err)
				}
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != "yesterday's" {
				t.Errorf("the file that was there: %q, %v", text, err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("the directory holds %v, %v", left, err)
			}
		})
	}
}

// Ensure that the offline commands find store and key where the configuration
// says, and say what to do where there is none.
func TestTheStoreIsFoundByTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("OAUTH2_TEST_DIR", dir)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := func(app string) string {
		return write("config.json", `{"apps": {"oauth2": {`+app+`}}}`)
	}
	here := `"store": {"module": "bolt", "path": "{env.OAUTH2_TEST_DIR}/tokens.db"}`
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a store that is not there":    {[]string{"--config", config(here), "--no-key"}, exitNotFound, filepath.Join(dir, "tokens.db")},
		"no key":                       {[]string{"--file", filepath.Join(dir, "other.db")}, exitRefused, "no " + filepath.Join(dir, "other.key") + ". Name its file with --seal-key, or do without: --no-key"},
		"a key file that is not there": {[]string{"--file", filepath.Join(dir, "other.db"), "--seal-key", filepath.Join(dir, "no.key")}, exitRefused, "no.key"},
		"a key file without a key":     {[]string{"--file", filepath.Join(dir, "other.db"), "--seal-key", write("empty.key", "# none\n")}, exitRefused, "no key in the text"},
		"no configuration":             {[]string{"--config", filepath.Join(dir, "no.json")}, exitRefused, "no.json"},
		"a file that is no store":      {[]string{"--file", write("text.db", "not a store at all"), "--no-key"}, exitRefused, "not a token store"},
	} {
		e := command(t, "", append([]string{"store", "check"}, c.args...)...)
		if e.code != c.code || !strings.Contains(e.err, c.says) {
			t.Errorf("%s: exit code %d, want %d; it says %s", name, e.code, c.code, e.err)
		}
	}
	e := command(t, "", "store", "compact", "--config", config(`"store": {"module": "postgres"}`))
	if e.code != exitRefused || !strings.Contains(e.err, "its own tools") {
		t.Errorf("another engine: exit code %d, %s", e.code, e.err)
	}
	e = command(t, "", "store", "check", "--config", config(here+`, "seal_key": ["{env.OAUTH2_TEST_UNKNOWN}"]`))
	if e.code != exitRefused || !strings.Contains(e.err, "seal_key, 1 of 1") {
		t.Errorf("a key from nowhere: exit code %d, %s", e.code, e.err)
	}
}
