// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"slices"
	"strings"
)

// standardMethods are those that a row without methods takes.
var standardMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

const methodCount = 7

// entry is a row of a built table.
type entry struct {
	Row
	pattern pattern
	dress   *dress // nil where nothing goes upstream
	// expression is the compiled one of the conditions, or nil.
	expression Expression
}

// table is a trie of path segments. It is never changed once built, so any
// number of requests read it at once.
type table struct {
	root node
	// fold: ASCII letters are equal in both cases.
	fold bool
}

type node struct {
	literal map[string]*node
	star    *node
	exact   *cell // rows of the pattern that ends here
	below   *cell // rows of the pattern that ends here in "/*"
}

// cell holds the rows of one pattern, by method.
type cell struct {
	pattern  pattern
	rows     []*entry
	any      *entry
	named    map[string]*entry
	standard [methodCount]*entry // resolved: named, HEAD after GET, any
}

// newTable builds the table or says which rows conflict.
func newTable(entries []*entry, fold bool) (*table, error) {
	t := &table{fold: fold}
	for _, e := range entries {
		p := e.pattern
		if fold {
			p = p.folded()
		}
		if err := t.cellOf(p).add(e); err != nil {
			return nil, err
		}
	}
	return t, t.checkCrossings()
}

// cellOf returns the cell of p, made if there is none yet.
func (t *table) cellOf(p pattern) *cell {
	n := &t.root
	for _, s := range p.segments {
		n = n.grow(s)
	}
	where := &n.exact
	if p.below {
		where = &n.below
	}
	if *where == nil {
		*where = &cell{pattern: p, named: map[string]*entry{}}
	}
	return *where
}

// grow returns the child for a segment of a pattern, made if there is none.
func (n *node) grow(segment string) *node {
	if segment == star {
		if n.star == nil {
			n.star = &node{}
		}
		return n.star
	}
	child := n.literal[segment]
	if child == nil {
		if n.literal == nil {
			n.literal = map[string]*node{}
		}
		child = &node{}
		n.literal[segment] = child
	}
	return child
}

// add puts a row into the cell of its pattern.
func (c *cell) add(e *entry) error {
	c.rows = append(c.rows, e)
	if len(e.Methods) == 0 {
		if c.any != nil {
			return fmt.Errorf("%s and %s conflict: they match the same requests", c.any.place(), e.place())
		}
		c.any = e
	}
	for _, m := range e.Methods {
		if other := c.named[m]; other != nil {
			return fmt.Errorf("%s and %s conflict: both match %s on the same path", other.place(), e.place(), m)
		}
		c.named[m] = e
	}
	for i, m := range standardMethods {
		row := c.named[m]
		if row == nil && m == "HEAD" {
			row = c.named["GET"]
		}
		if row == nil {
			row = c.any
		}
		c.standard[i] = row
	}
	return nil
}

// checkCrossings finds two rows of which neither is the more specific one and
// which still meet on some path and method, such as /a/*/c and /*/b/c.
func (t *table) checkCrossings() error {
	var err error
	t.root.each(func(c *cell) {
		if err != nil || !c.pattern.wild() {
			return
		}
		t.root.overlapping(c.pattern.segments, c.pattern.below, func(other *cell) {
			if err != nil || c.pattern.contains(other.pattern) || other.pattern.contains(c.pattern) {
				return
			}
			for _, a := range c.rows {
				for _, b := range other.rows {
					if method, both := commonMethod(a.Methods, b.Methods); both {
						err = fmt.Errorf("%s and %s conflict: some paths match both (%s), and neither is the more specific one; change one so that it contains the other or shares no path with it", a.place(), b.place(), method)
						return
					}
				}
			}
		})
	})
	return err
}

// each visits every cell below n and its own.
func (n *node) each(visit func(*cell)) {
	for _, c := range []*cell{n.exact, n.below} {
		if c != nil {
			visit(c)
		}
	}
	for _, child := range n.literal {
		child.each(visit)
	}
	if n.star != nil {
		n.star.each(visit)
	}
}

// overlapping visits the cells of all patterns that share a path with the one
// that remains to be walked.
func (n *node) overlapping(segments []string, below bool, visit func(*cell)) {
	if len(segments) == 0 && below {
		n.each(visit)
		return
	}
	if n.below != nil {
		visit(n.below)
	}
	if len(segments) == 0 {
		if n.exact != nil {
			visit(n.exact)
		}
		return
	}
	if segments[0] == star {
		for _, child := range n.literal {
			child.overlapping(segments[1:], below, visit)
		}
	} else if child := n.literal[segments[0]]; child != nil {
		child.overlapping(segments[1:], below, visit)
	}
	if n.star != nil {
		n.star.overlapping(segments[1:], below, visit)
	}
}

// commonMethod returns a method that rows with these methods both decide about.
func commonMethod(a, b []string) (method string, found bool) {
	takes := func(methods []string, m string) bool {
		return len(methods) == 0 || slices.Contains(methods, m) || m == "HEAD" && slices.Contains(methods, "GET")
	}
	for _, m := range slices.Concat(standardMethods, a, b) {
		if takes(a, m) && takes(b, m) {
			return m, true
		}
	}
	return "", false
}

// lookup is the method that a row is looked up for.
type lookup struct {
	method string
	index  int // in standardMethods, or -1
	fold   bool
}

// find returns the row for a request, or nil. It does not allocate. Of all
// patterns that match, the literal segment goes before the star and the star
// before "/*": as crossing patterns are refused, the first one found is the
// one that all others contain. A trailing slash makes no difference.
func (t *table) find(method, path string) *entry {
	l := lookup{method: method, index: slices.Index(standardMethods, method), fold: t.fold}
	if e := l.below(&t.root, strings.TrimPrefix(path, "/")); e != noRow {
		return e
	}
	return nil
}

// noRow is what a lookup finds where it must not go on to less specific rows.
var noRow = &entry{}

func (l *lookup) below(n *node, path string) *entry {
	if path == "" {
		if e := l.row(n.exact); e != nil {
			return e
		}
		return l.row(n.below)
	}
	segment, rest := path, ""
	if i := strings.IndexByte(path, '/'); i >= 0 {
		segment, rest = path[:i], path[i+1:]
	}
	if child := l.child(n, segment); child != nil {
		if e := l.below(child, rest); e != nil {
			return e
		}
	}
	if n.star != nil && segment != "" {
		if e := l.below(n.star, rest); e != nil {
			return e
		}
	}
	return l.row(n.below)
}

// row returns the cell's row for the method, or nil. Other methods than the
// standard ones must be named: a row without methods refuses them, for a row
// with a wider path and less of a requirement must not take them instead.
func (l *lookup) row(c *cell) *entry {
	if c == nil {
		return nil
	}
	if l.index >= 0 {
		return c.standard[l.index]
	}
	switch e := c.named[l.method]; {
	case e != nil:
		return e
	case c.any != nil && c.any.Verb == Deny:
		return c.any
	case c.any != nil:
		return noRow
	}
	return nil
}

// child returns the literal child for a segment of a request's path.
func (l *lookup) child(n *node, segment string) *node {
	if n.literal == nil || len(segment) > MaxSegment {
		return nil
	}
	if !l.fold {
		return n.literal[segment]
	}
	for i := range len(segment) {
		if c := segment[i]; 'A' <= c && c <= 'Z' {
			return childFolded(n, segment)
		}
	}
	return n.literal[segment]
}

func childFolded(n *node, segment string) *node {
	var buf [MaxSegment]byte
	low := buf[:copy(buf[:], segment)]
	for i, c := range low {
		if 'A' <= c && c <= 'Z' {
			low[i] = c + 'a' - 'A'
		}
	}
	return n.literal[string(low)]
}
