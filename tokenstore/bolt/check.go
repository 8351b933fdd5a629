// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"go.etcd.io/bbolt"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Errors about files that are refused, with what to do.
var (
	errForeign = fmt.Errorf("%w: this is not a token store. Name the right file", tokenstore.ErrFormat)
	errNewer   = fmt.Errorf("%w: the file was written by a newer version. Run that version, or restore a backup that this version made", tokenstore.ErrFormat)
)

// damaged is the error about a file that is refused for its structure.
func damaged(what string, args ...any) error {
	return fmt.Errorf("%w: %s. Restore a backup", tokenstore.ErrDamaged, fmt.Sprintf(what, args...))
}

// check decides whether the engine may use a file that is open for reading: is
// it a store of this version, is it whole, does its structure hold? Records are
// not judged; each has a checksum of its own. What bbolt does with a structure
// that does not hold ranges from panics to endless recursion, which nothing
// could stop.
//
// A small file is read whole; of a large one the branch pages only, which are
// some thousand for a million records.
// The layout that the file has is one that m leads on from.
func check(db *bbolt.DB, file *os.File, m migrations) (layout uint32, err error) {
	err = guard(func() error {
		head, err := readHeader(file)
		if err != nil {
			return err
		}
		t := newTree(file, head)
		if err := t.checkRoot(); err != nil {
			return err
		}
		tx, err := db.Begin(false)
		if err != nil {
			return unavailable(err)
		}
		defer func() { _ = tx.Rollback() }()
		if layout, err = checkFormat(tx, m); err != nil {
			return err
		}
		if err := checkNames(tx); err != nil {
			return err
		}
		for _, name := range [][]byte{bucketRecords, bucketBatches, bucketReserve} {
			bucket := tx.Bucket(name)
			switch {
			case bucket == nil && string(name) != string(bucketReserve):
				return damaged("the bucket %q is missing", name)
			case bucket != nil && bucket.Root() != 0: // 0: small enough to lie in the root page
				if err := t.walk(uint64(bucket.Root())); err != nil {
					return err
				}
			}
		}
		return t.checkFree()
	})
	return layout, err
}

// checkNames checks that the file has buckets and nothing else at its root, in order.
// A reserve that cannot be found would be taken for one in use, for ever.
func checkNames(tx *bbolt.Tx) error {
	var last []byte
	cursor := tx.Cursor()
	for name, value := cursor.First(); name != nil; name, value = cursor.Next() {
		if value != nil || bytes.Compare(name, last) <= 0 {
			return damaged("%q is no bucket, or not in its place", name)
		}
		last = name
	}
	return nil
}

// checkFormat reads what the file says of itself.
func checkFormat(tx *bbolt.Tx, m migrations) (layout uint32, err error) {
	about := tx.Bucket(bucketAbout)
	if about == nil || string(about.Get(keyFormat)) != format {
		return 0, errForeign
	}
	version := about.Get(keyLayout)
	if len(version) != 4 {
		return 0, damaged("the version of the layout is garbled")
	}
	layout = binary.BigEndian.Uint32(version)
	if layout > m.present {
		return layout, fmt.Errorf("%w (layout %d; this version knows %d)", errNewer, layout, m.present)
	}
	if layout == m.present {
		_, _, err = readState(tx) // an older layout may keep it elsewhere
	}
	return layout, err
}

// Constants of bbolt's file format.
const (
	bboltMagic   = 0xED0CDAED
	bboltVersion = 2

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	noFreelist = 1<<64 - 1 // in the header: the free pages are not listed

	pageHeader    = 16 // id 8, flags 2, count 2, overflow 4
	branchElement = 16 // position 4, key size 4, page 8
	leafElement   = 16 // flags 4, position 4, key size 4, value size 4
	headerBytes   = 64 // of which the last 8 are the checksum
)

// header is the newer of bbolt's two header ("meta") pages.
type header struct {
	pageSize uint32
	root     uint64 // page of the root bucket
	freelist uint64 // page of the list of free pages
	end      uint64 // first page never used
	txid     uint64
}

// readHeader reads and checks both headers. bbolt would make do with one, and go
// back by a commit when the newer is damaged: to a state in which what was
// revoked last is valid again. A crash does not tear a header, because it is
// smaller than a disk's sector; so a torn one is damage.
func readHeader(file *os.File) (header, error) {
	info, err := file.Stat()
	if err != nil {
		return header{}, unavailable(err)
	}
	first, err := parseHeader(file, 0)
	if err != nil {
		return header{}, err
	}
	second, err := parseHeader(file, int64(first.pageSize))
	if err != nil {
		return header{}, err
	}
	newer := first
	if second.txid > first.txid {
		newer = second
	}
	switch {
	case first.pageSize != second.pageSize || first.txid == second.txid:
		return header{}, damaged("the two headers contradict each other")
	case newer.freelist == noFreelist:
		return header{}, errForeign // the engine always writes the list
	case newer.root >= newer.end || newer.freelist >= newer.end:
		return header{}, damaged("the header points beyond the end")
	case uint64(info.Size())/uint64(newer.pageSize) < newer.end:
		return header{}, damaged("the file is cut short: it has %d bytes of at least %d", info.Size(), newer.end*uint64(newer.pageSize))
	}
	return newer, nil
}

func parseHeader(file io.ReaderAt, at int64) (header, error) {
	page := make([]byte, pageHeader+headerBytes)
	if _, err := file.ReadAt(page, at); errors.Is(err, io.EOF) {
		return header{}, damaged("the file is cut short within its headers")
	} else if err != nil {
		return header{}, unavailable(err)
	}
	m := page[pageHeader:]
	sum := fnv.New64a()
	sum.Write(m[:headerBytes-8])
	order := binary.NativeEndian // bbolt writes memory as it is
	h := header{
		pageSize: order.Uint32(m[8:]),
		root:     order.Uint64(m[16:]),
		freelist: order.Uint64(m[32:]),
		end:      order.Uint64(m[40:]),
		txid:     order.Uint64(m[48:]),
	}
	switch {
	case order.Uint32(m) != bboltMagic || order.Uint32(m[4:]) != bboltVersion,
		order.Uint64(m[headerBytes-8:]) != sum.Sum64(),
		h.pageSize < 1024 || h.pageSize&(h.pageSize-1) != 0:
		return header{}, damaged("a header is garbled")
	}
	return h, nil
}
