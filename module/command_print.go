// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// print writes the result: the document itself with --json, else what people
// does with it.
func (c *console) print(document any, people func(w io.Writer)) error {
	if !c.json {
		people(c.out())
		return nil
	}
	e := json.NewEncoder(c.out())
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// table writes rows under a header, in aligned columns. No row is no output, so
// that scripts need not cut a lonely header off.
func table(w io.Writer, header []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		writeRow(t, row)
	}
	t.Flush()
}

// facts writes pairs of name and value, aligned, and leaves out empty values.
func facts(w io.Writer, pairs ...[2]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range pairs {
		if p[1] != "" {
			writeRow(t, p[:])
		}
	}
	t.Flush()
}

// writeRow writes cells separated by tabs. An empty cell is "-", so that a
// column is a column to awk too.
func writeRow(w io.Writer, cells []string) {
	line := make([]string, len(cells))
	for i, cell := range cells {
		line[i] = plain(cell)
		if cell == "" {
			line[i] = "-"
		}
	}
	fmt.Fprintln(w, strings.Join(line, "\t"))
}

// plain makes text fit for a terminal: what does not print, such as an escape
// sequence in a client's name, becomes "�".
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

func words(list []string) string { return strings.Join(list, " ") }

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func instantOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return instant(*t)
}
