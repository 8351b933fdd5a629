// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package bolt is the embedded engine below package tokenstore: one file, one
// process, no server. It keeps everything in a bbolt database and adds what a
// token store needs beyond it.
//
// # Group commit
//
// One commit costs two disk syncs, however much it holds. So batches wait in a
// bounded queue for a single committer, which takes all that wait, validates
// them one after the other inside one transaction, and commits once. A batch
// whose expectations fail is left out; its neighbours do not notice. A lone
// writer never waits for company; see queue.go.
//
// # Durable before visible
//
// bbolt shows a commit to readers before the disk has confirmed it. The engine
// does not: a read that touches what a commit in flight has changed waits for
// that commit. When the disk refuses to confirm, the commit's outcome is unknown,
// and until it is settled nothing of it is shown; see durable.go.
//
// # Layout of the file
//
//	about    "format" → the name of this format
//	         "layout" → its version, 4 bytes
//	         "state"  → sealed: revision and number of keys, 8 bytes each
//	records  key → sealed: the value
//	batches  first revision of a group, 8 bytes → sealed: the IDs of its batches
//	reserve  ballast, for the day the disk is full; absent while it is in use
//
// Sealed is revision (8 bytes) | CRC-32C of key, revision and value (4 bytes) |
// value. Numbers are big-endian. The checksum finds what a disk garbled; it is
// no defence against people, for whom there is the MAC of package tokenstore.
//
// A file of an older layout is copied, the copy is checked, and then the file goes
// step by step to the present one; see migrate.go.
//
// # Damage
//
// bbolt panics, or faults, on a damaged file. The engine checks the file's
// structure before it opens it, and turns what remains into
// [tokenstore.ErrDamaged]: a damaged file is refused, it never ends the process.
package bolt
