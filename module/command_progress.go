// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// progressPause is how long there is silence between two plain lines.
const progressPause = 10 * time.Second

// progress shows how far a long command is: a bar where standard error is a
// terminal, elsewhere a plain line now and then.
type progress struct {
	c    *console
	what string // such as "checking"
	unit string // such as "records"; empty: bytes
	bar  *progressbar.ProgressBar
	next time.Time // when the next plain line is due
}

// progress begins to show what is done. Nothing is said of what takes less than
// a moment.
func (c *console) progress(what, unit string) *progress {
	return &progress{c: c, what: what, unit: unit, next: time.Now().Add(progressPause)}
}

// at says that done of total are done. A total of zero is not known.
func (p *progress) at(done, total int64) {
	stderr := p.c.cmd.ErrOrStderr()
	if _, is := terminal(stderr); !is {
		if now := time.Now(); now.After(p.next) {
			p.next = now.Add(progressPause)
			p.line(done, total)
		}
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(stderr),
			progressbar.OptionSetDescription(p.what),
			progressbar.OptionShowBytes(p.unit == ""),
			progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond),
		)
	}
	p.bar.ChangeMax64(max(total, done))
	_ = p.bar.Set64(done) // a terminal that is gone is no reason to stop
}

// line is what is said where there is no terminal.
func (p *progress) line(done, total int64) {
	if p.unit == "" {
		p.c.note("%s: %s of about %s", p.what, size(done), size(max(total, done)))
		return
	}
	p.c.note("%s: %d of %d %s", p.what, done, max(total, done), p.unit)
}

// end leaves the bar's line.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		p.bar = nil
		_, _ = p.c.cmd.ErrOrStderr().Write([]byte("\n"))
	}
}
