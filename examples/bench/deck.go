// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"sync/atomic"
)

// errDeckEmpty: a deck that deals every token once has none left.
var errDeckEmpty = errors.New("no unused token is left for first-seen requests: raise -fresh")

// deck deals tokens to connections, round and round or each one once. It is
// safe for concurrent use.
type deck struct {
	tokens []string // all of one length
	once   bool
	dealt  atomic.Int64
}

// next is the next token of the deck.
func (d *deck) next() (string, error) {
	i := d.dealt.Add(1) - 1
	if i < int64(len(d.tokens)) {
		return d.tokens[i], nil
	}
	if d.once {
		return "", errDeckEmpty
	}
	return d.tokens[i%int64(len(d.tokens))], nil
}

// left is how many tokens a deck that deals each once has left.
func (d *deck) left() int { return max(0, len(d.tokens)-int(d.dealt.Load())) }
