// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// maxWhole is up to how many pages, 64 MiB as a rule, a file's leaves are checked
// too when it is opened. It takes some hundredths of a second. The leaves of a
// larger file are trusted to be leaves: their records have checksums, but where a
// leaf's own header is damaged, bbolt may look beyond it and find, in pages that
// are free, what a record was before.
const maxWhole = 1 << 14

// maxOverflow is more than any value, and more than a list of free pages for a
// file of a terabyte needs. It bounds what a damaged page can make the check read.
const maxOverflow = 1 << 19

// tree checks which pages of a bbolt file are used for what: no page twice, none
// of them free, none out of bounds. Then every path through the branch pages
// ends, and no commit overwrites what is in use.
type tree struct {
	file io.ReaderAt
	head header
	used []uint64 // a bit for each page
}

func newTree(file io.ReaderAt, head header) *tree {
	return &tree{file: file, head: head, used: make([]uint64, head.end/64+1)}
}

// checkRoot checks the page that lists the buckets. The engine has so few that
// they fit a leaf page; more are not the engine's.
func (t *tree) checkRoot() error {
	page, err := t.read(t.head.root)
	if err != nil {
		return err
	}
	if page.flags != flagLeaf {
		return errForeign
	}
	if err := page.checkLeaf(); err != nil {
		return err
	}
	return t.use(t.head.root, 1+uint64(page.overflow))
}

// maxDepth is more levels than a file can have: every branch page has two
// children at least, but for damage.
const maxDepth = 64

// walk checks the branch pages of a bucket, level by level. All leaves of a
// B+tree are equally deep: where the first page of a level is a leaf, all are.
func (t *tree) walk(root uint64) error {
	level := []uint64{root}
	for range maxDepth {
		first, err := t.read(level[0])
		if err != nil {
			return err
		}
		if first.flags == flagLeaf {
			return t.checkLeaves(level)
		}
		slices.Sort(level) // the order in which a disk reads fastest
		var children []uint64
		for _, id := range level {
			page, err := t.read(id)
			if err != nil {
				return err
			}
			if page.flags != flagBranch {
				return damaged("page %d is no branch page", id)
			}
			if err := t.use(id, 1+uint64(page.overflow)); err != nil {
				return err
			}
			if children, err = page.appendChildren(children); err != nil {
				return err
			}
		}
		if len(children) == 0 {
			return damaged("branch pages without children below page %d", root)
		}
		level = children
	}
	return damaged("more than %d levels below page %d", maxDepth, root)
}

// checkLeaves checks the lowest level of a bucket.
func (t *tree) checkLeaves(ids []uint64) error {
	for _, id := range ids {
		pages := uint64(1)
		if t.head.end <= maxWhole {
			page, err := t.read(id)
			if err != nil {
				return err
			}
			if page.flags != flagLeaf {
				return damaged("page %d is no leaf page", id)
			}
			if err := page.checkLeaf(); err != nil {
				return err
			}
			pages += uint64(page.overflow)
		}
		if err := t.use(id, pages); err != nil {
			return err
		}
	}
	return nil
}

// checkFree checks the list of free pages, after all walks.
func (t *tree) checkFree() error {
	page, err := t.read(t.head.freelist)
	if err != nil {
		return err
	}
	if page.flags != flagFreelist {
		return damaged("page %d is no list of free pages", t.head.freelist)
	}
	if err := t.use(t.head.freelist, 1+uint64(page.overflow)); err != nil {
		return err
	}
	ids, count := page.body, uint64(page.count)
	if count == 0xFFFF { // then the first element is the count
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return damaged("a list of %d free pages in %d bytes", count, len(ids))
	}
	for id := range slices.Chunk(ids[:8*count], 8) {
		if err := t.use(binary.NativeEndian.Uint64(id), 1); err != nil {
			return err
		}
	}
	return nil
}

// use marks pages as used.
func (t *tree) use(id, n uint64) error {
	if id < 2 || id >= t.head.end || n > t.head.end-id {
		return damaged("page %d is out of bounds", id)
	}
	for ; n > 0; id, n = id+1, n-1 {
		if t.used[id/64]&(1<<(id%64)) != 0 {
			return damaged("page %d is in use twice", id)
		}
		t.used[id/64] |= 1 << (id % 64)
	}
	return nil
}

// page is one page of the file with the pages that it overflows into.
type page struct {
	flags, count uint16
	overflow     uint32
	body         []byte // after the page's header
}

func (t *tree) read(id uint64) (page, error) {
	if id < 2 || id >= t.head.end {
		return page{}, damaged("page %d is out of bounds", id)
	}
	raw := make([]byte, t.head.pageSize)
	if err := t.readAt(raw, id); err != nil {
		return page{}, err
	}
	order := binary.NativeEndian
	p := page{flags: order.Uint16(raw[8:]), count: order.Uint16(raw[10:]), overflow: order.Uint32(raw[12:])}
	if order.Uint64(raw) != id || uint64(p.overflow) >= min(t.head.end-id, maxOverflow) {
		return page{}, damaged("page %d is garbled", id)
	}
	if p.overflow > 0 {
		raw = make([]byte, (1+int(p.overflow))*int(t.head.pageSize))
		if err := t.readAt(raw, id); err != nil {
			return page{}, err
		}
	}
	p.body = raw[pageHeader:]
	return p, nil
}

func (t *tree) readAt(raw []byte, id uint64) error {
	if _, err := t.file.ReadAt(raw, int64(id)*int64(t.head.pageSize)); errors.Is(err, io.EOF) {
		return damaged("the file is cut short at page %d", id)
	} else if err != nil {
		return unavailable(err)
	}
	return nil
}

// appendChildren appends the children of a branch page. Their keys must lie in
// the page too: bbolt compares them as it descends.
func (p page) appendChildren(to []uint64) ([]uint64, error) {
	if int(p.count)*branchElement > len(p.body) {
		return nil, damaged("a branch page lists %d children in %d bytes", p.count, len(p.body))
	}
	for i := range int(p.count) {
		element := p.body[i*branchElement:]
		order := binary.NativeEndian
		// The position counts from the element itself.
		start, size := uint64(order.Uint32(element)), uint64(order.Uint32(element[4:]))
		if start+size > uint64(len(element)) {
			return nil, damaged("a key of a branch page lies outside of it")
		}
		to = append(to, order.Uint64(element[8:]))
	}
	return to, nil
}

// checkLeaf checks that the elements of a leaf page lie within it.
func (p page) checkLeaf() error {
	if int(p.count)*leafElement > len(p.body) {
		return damaged("a leaf page lists %d elements in %d bytes", p.count, len(p.body))
	}
	for i := range int(p.count) {
		element := p.body[i*leafElement:]
		order := binary.NativeEndian
		start := uint64(order.Uint32(element[4:]))
		size := uint64(order.Uint32(element[8:])) + uint64(order.Uint32(element[12:]))
		if start+size > uint64(len(element)) {
			return damaged("an element of a leaf page lies outside of it")
		}
	}
	return nil
}
