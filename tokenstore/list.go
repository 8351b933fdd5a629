// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// MaxList is the largest page of a listing.
const MaxList = 1000

// List reads a page of at most limit records of one realm and kind, valid ones
// only, in the order of their ids, starting at cursor ("" is the beginning). The
// new cursor is empty at the end; a page may be short, or empty, before that.
// Damaged records are reported to the log and left out.
//
// It is for administration, never for a request path: it reads everything it
// passes over.
func List[T any](ctx context.Context, db *DB, realm string, kind Kind, cursor Cursor, limit int) ([]*Record[T], Cursor, error) {
	return ListUnder[T](ctx, db, NewKey(realm, kind, ""), cursor, limit)
}

// ListUnder is like [List] for the records whose keys begin with prefix, which
// names a kind at least: all sessions of one user, say. It reads nothing beyond
// them, so with a prefix that ends in few records it may serve a request.
func ListUnder[T any](ctx context.Context, db *DB, prefix Key, cursor Cursor, limit int) ([]*Record[T], Cursor, error) {
	if !prefix.valid() {
		return nil, "", errors.New("tokenstore: the prefix names no kind of records")
	}
	if limit < 1 || limit > MaxList {
		return nil, "", fmt.Errorf("tokenstore: a page of %d records, 1 to %d are possible", limit, MaxList)
	}
	if cursor == "" {
		cursor = prefix
	}
	if !strings.HasPrefix(string(cursor), string(prefix)) {
		return nil, "", errors.New("tokenstore: the cursor is of another listing")
	}
	items, next, err := db.scan(ctx, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	if !strings.HasPrefix(string(next), string(prefix)) {
		next = ""
	}
	var page []facts
	var anchors []Key
	for _, item := range items {
		if !strings.HasPrefix(string(item.Key), string(prefix)) {
			break
		}
		f, err := db.decode(item)
		if err != nil {
			continue // reported
		}
		page = append(page, f)
		for _, g := range f.anchors {
			anchors = append(anchors, g.Key)
		}
	}
	held, err := db.get(ctx, anchors...)
	if err != nil {
		return nil, "", err
	}
	var records []*Record[T]
	for _, f := range page {
		own := held[:len(f.anchors)]
		held = held[len(f.anchors):]
		if _, err := db.judge(f, own); err != nil {
			continue // not valid, or reported
		}
		r, err := typed[T](f)
		if err != nil {
			db.reportDamage(f.key, err)
			continue
		}
		records = append(records, r)
	}
	return records, next, nil
}
