// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// repository is where the pages are, seen from this package.
const repository = ".."

var pagesForOperators = []string{"README.md", "docs/operations.md", "docs/reference.md", "docs/security.md"}

// page reads a page for operators.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// all returns the first group of every match.
func all(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// Ensure that the commands which the pages name are there, with the flags that are
// written behind them.
func TestPagesNameCommandsThatExist(t *testing.T) {
	oauth2 := &cobra.Command{Use: "oauth2"}
	buildCommand(oauth2)
	flags := map[string]bool{}
	var collect func(*cobra.Command)
	collect = func(cmd *cobra.Command) {
		for _, name := range all(cmd.UsageString(), `--([a-z][a-z-]+)`) {
			flags[name] = true
		}
		for _, sub := range cmd.Commands() {
			collect(sub)
		}
	}
	collect(oauth2)
	seen := 0
	for _, name := range pagesForOperators {
		// A command goes to the end of its line or code span, or to the next one in it.
		for _, line := range all(page(t, name), `caddy oauth2 ([a-z][^\n`+"`"+`|&;)]+)`) {
			words := strings.Fields(line)
			cmd, rest, err := oauth2.Find(words)
			if err != nil || cmd == oauth2 {
				t.Errorf("%s: there is no `caddy oauth2 %s`", name, line)
				continue
			}
			seen++
			if len(rest) > 0 && cmd.HasSubCommands() && !strings.HasPrefix(rest[0], "-") {
				t.Errorf("%s: `caddy oauth2 %s`: %s has no %s", name, line, cmd.CommandPath(), rest[0])
			}
			for _, flag := range all(strings.Join(rest, " "), `--([a-z][a-z-]+)`) {
				if cmd.Flag(flag) == nil && cmd.InheritedFlags().Lookup(flag) == nil && flag != "help" {
					t.Errorf("%s: `caddy oauth2 %s`: there is no --%s", name, line, flag)
				}
			}
		}
		if name == "README.md" {
			continue // which tells of other programs too
		}
		for _, flag := range all(page(t, name), "`[^`\n]*--([a-z][a-z-]+)[^`\n]*`") {
			if !flags[flag] && flag != "pretty" { // of caddy adapt
				t.Errorf("%s: no command has --%s", name, flag)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands were found", seen)
	}
}

// Ensure that the metrics which the pages name are there.
func TestPagesNameMetricsThatExist(t *testing.T) {
	known := map[string]bool{}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		for _, c := range collectors() {
			c.Describe(descriptions)
		}
	}()
	for d := range descriptions {
		known[all(d.String(), `fqName: "([^"]+)"`)[0]] = true
	}
	for _, name := range append(pagesForOperators, "examples/prometheus/README.md") {
		for _, metric := range all(page(t, name), `\b(caddy_oauth2_\w*[a-z])\b`) {
			if !known[metric] && !known[strings.TrimSuffix(metric, "_bucket")] {
				t.Errorf("%s: there is no metric %s", name, metric)
			}
		}
	}
}

// Ensure that the tests, and files with tests, which the pages name are there.
func TestPagesNameTestsThatExist(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range all(string(text), `(?m)^func (Test\w+)\(`) {
			tests[name] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pagesForOperators {
		for _, test := range all(page(t, name), "`(Test\\w+)[`/]") {
			if !tests[test] {
				t.Errorf("%s: there is no %s", name, test)
			}
		}
	}
	_, attacks, _ := strings.Cut(page(t, "docs/security.md"), "## Attacks that are tested")
	for _, cell := range all(attacks, `(?m)^\| .* \| ([^|]+) \|$`) {
		for _, file := range all(cell, "`([^`]+)`") {
			_, err := os.Stat(filepath.Join("systemtest", file+"_test.go"))
			if _, room := os.Stat(filepath.Join(repository, file)); err != nil && room != nil {
				t.Errorf("docs/security.md: there is no test file %s", file)
			}
		}
	}
}

// Ensure that figures in the pages are those of the program.
func TestPagesHaveTheRightFigures(t *testing.T) {
	hours := func(d fmt.Stringer) string { return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m") }
	for _, c := range []struct{ page, says string }{
		{"docs/operations.md", fmt.Sprintf("A sign-in lasts %s unused and %d d at most", strings.Replace(hours(signin.DefaultIdle), "h", " h", 1), signin.DefaultAbsolute/(24*time.Hour))},
		{"docs/operations.md", fmt.Sprintf("A user has up to %d;", signin.MaxSessions)},
		{"docs/operations.md", fmt.Sprintf("`--lifetime` up to %d days", user.MaxResetLifetime/(24*time.Hour))},
		{"docs/operations.md", map[int]string{10: "the ten recovery codes"}[factor.RecoveryCodes]},
		{"docs/reference.md", fmt.Sprintf("| `sessions { idle <duration> }` | `sessions.idle` | How long a sign-in lasts unused, 1m to %dd | `%s` |", signin.MaxLifetime/(24*time.Hour), hours(signin.DefaultIdle))},
		{"docs/reference.md", fmt.Sprintf("this browser, at most %d", signin.MaxAccounts)},
	} {
		if c.says == "" || !strings.Contains(page(t, c.page), c.says) {
			t.Errorf("%s does not say %q", c.page, c.says)
		}
	}
}
