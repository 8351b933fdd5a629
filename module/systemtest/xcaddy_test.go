// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Ensure that the script says what it can do when it is told nothing or asked for
// help, and refuses a word that it does not know.
func TestScriptHelps(t *testing.T) {
	t.Parallel()
	const usage = "Usage: ./xcaddy.sh build | run | test"
	for _, c := range []struct {
		arguments   []string
		code        int
		says, warns string
	}{
		{nil, 0, usage, ""},
		{[]string{"help"}, 0, usage, ""},
		{[]string{"--help"}, 0, usage, ""},
		{[]string{"brew"}, 2, "", usage},
	} {
		cmd := exec.Command(filepath.Join(root, "xcaddy.sh"), c.arguments...)
		var out, warned bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &warned
		if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("%q: exit code %d, want %d", c.arguments, code, c.code)
		}
		if !strings.Contains(out.String(), c.says) || !strings.Contains(warned.String(), c.warns) || c.code != 0 && out.Len() > 0 {
			t.Errorf("%q: it says %q, and on standard error %q", c.arguments, &out, &warned)
		}
	}
}
