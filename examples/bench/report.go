// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// figure is one row of the table.
type figure struct {
	Key    string `json:"key"`            // by which gates name it
	Part   string `json:"part"`           // the part of the benchmark that found it
	What   string `json:"what"`           // for a ratio: this ÷ that
	Value  spread `json:"value"`          // over the pairs, or three times the same
	Unit   string `json:"unit,omitempty"` // "" for ratios
	Detail string `json:"detail,omitempty"`
	Mark   string `json:"mark,omitempty"` // what makes the row doubtful
	Gate   string `json:"gate,omitempty"`
	Passed *bool  `json:"passed,omitempty"` // nil without a gate

	enforced bool
}

// single is the value of a figure that was measured once.
func single(value float64) spread { return spread{value, value, value} }

// report is the outcome of a run.
type report struct {
	Machine machine  `json:"machine"`
	Figures []figure `json:"figures"`
	Notes   []string `json:"notes,omitempty"`
}

// add appends figures, each judged by its gate.
func (r *report) add(g gates, figures ...figure) {
	for _, f := range figures {
		if one, ok := g[f.Key]; ok {
			passed := one.passes(f.Value.Median)
			f.Gate, f.Passed, f.enforced = one.String(), &passed, one.enforced
		}
		r.Figures = append(r.Figures, f)
	}
}

// failures lists the figures beyond a gate that decides.
func (r *report) failures() []string {
	var list []string
	for _, f := range r.Figures {
		if f.enforced && !*f.Passed {
			list = append(list, fmt.Sprintf("%s is %s, the gate wants %s", f.Key, number(f.Value.Median), f.Gate))
		}
	}
	return list
}

// missing lists the gates that decide and whose figure was not measured: what
// was not measured has not passed.
func (r *report) missing(g gates) []string {
	var list []string
	for name, one := range g {
		if !one.enforced {
			continue
		}
		found := false
		for _, f := range r.Figures {
			found = found || f.Key == name
		}
		if !found {
			list = append(list, name+" was not measured")
		}
	}
	return list
}

// markdown writes the table.
func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.Machine)
	b.WriteString("| figure | | median (min–max) | detail | gate | |\n|---|---|---|---|---|---|\n")
	part := ""
	for _, f := range r.Figures {
		if f.Part != part {
			part = f.Part
			fmt.Fprintf(&b, "| **%s** | | | | | |\n", part)
		}
		verdict := ""
		if f.Passed != nil {
			verdict = map[bool]string{true: "pass", false: "**fail**"}[*f.Passed]
		}
		detail := f.Detail
		if f.Mark != "" {
			detail = strings.TrimPrefix(detail+" ⚠ "+f.Mark, " ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", f.Key, f.What, f.text(), detail, f.Gate, verdict)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// text is the value with its extremes and its unit.
func (f figure) text() string {
	text := number(f.Value.Median)
	if f.Value.Min != f.Value.Max {
		text += " (" + number(f.Value.Min) + "–" + number(f.Value.Max) + ")"
	}
	return strings.TrimSuffix(text+" "+f.Unit, " ")
}

// number writes three significant digits, and whole numbers from 100 on.
func number(v float64) string {
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Floor(math.Log10(max(math.Abs(v), 1))))), 64)
}

// save writes the report as JSON.
func (r *report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
