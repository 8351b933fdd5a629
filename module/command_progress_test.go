// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Ensure that progress is a bar on a terminal, and elsewhere a plain line at a
// calm pace.
func TestProgress(t *testing.T) {
	console := func(stderr io.Writer) *console {
		cmd := &cobra.Command{}
		cmd.SetErr(stderr)
		return &console{cmd: cmd}
	}
	for name, c := range map[string]struct{ unit, want string }{
		"records": {"records", "checking: 250 of 1000 records\n"},
		"bytes":   {"", "checking: 250 B of about 1000 B\n"},
	} {
		var plain bytes.Buffer
		p := console(&plain).progress("checking", c.unit)
		for range 3 {
			p.at(1, 1000)
		}
		if plain.Len() > 0 {
			t.Errorf("%s: at once: %q", name, plain.String())
		}
		p.next = time.Now().Add(-time.Second)
		for range 3 {
			p.at(250, 1000)
		}
		p.end()
		if plain.String() != c.want {
			t.Errorf("%s: %q, want %q", name, plain.String(), c.want)
		}
	}

	was := isTerminal
	defer func() { isTerminal = was }()
	isTerminal = func(int) bool { return true }
	screen, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := console(stderr).progress("checking", "records")
	p.at(500, 1000)
	p.at(1500, 1000) // more than was expected
	p.end()
	stderr.Close()
	drawn, err := io.ReadAll(screen)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(drawn); !strings.Contains(text, "\rchecking") || !strings.Contains(text, "1500/1500") || !strings.HasSuffix(text, "\n") {
		t.Errorf("drawn: %q", text)
	}
}
