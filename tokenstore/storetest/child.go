// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Environment of a child process: the store's directory, and the number of the
// life, which makes its names different from those of others.
const (
	envDir  = "STORETEST_DIR"
	envLife = "STORETEST_LIFE"
)

// Main is for the TestMain of an engine's package. In a child that [Crash] has
// started it works on the store until it is killed; otherwise it runs the tests
// and reports goroutines that they leave behind.
func Main(m *testing.M, open Open) {
	dir := os.Getenv(envDir)
	if dir == "" {
		goleak.VerifyTestMain(collected{m})
		return
	}
	store, err := open(context.Background(), dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "child: opening the store:", err)
		os.Exit(1)
	}
	c := &child{store: store, life: os.Getenv(envLife), out: json.NewEncoder(os.Stdout)}
	c.work()
}

// collected runs tests and then collects garbage: with it end the goroutines of
// caches that a DB has dropped.
type collected struct{ m *testing.M }

func (c collected) Run() int {
	code := c.m.Run()
	for deadline := time.Now().Add(time.Minute); ; {
		runtime.GC()
		if goleak.Find() == nil || time.Now().After(deadline) {
			return code
		}
	}
}

// message is a line from the child to its parent: what is about to be tried, or
// what became of it. Lines written survive the child; lines it still had in mind
// do not, and that is the point.
type message struct {
	Begin   *operation          `json:",omitempty"`
	End     string              `json:",omitempty"`
	Rev     tokenstore.Revision `json:",omitempty"`
	Refused bool                `json:",omitempty"`
	Trouble string              `json:",omitempty"`
}

type child struct {
	store tokenstore.Store
	life  string

	mu    sync.Mutex // guards what follows
	out   *json.Encoder
	count int
}

const (
	workers = 6
	anchors = 8
)

// work issues, redeems and revokes until the process is killed.
func (c *child) work() {
	// Whoever started this process holds its input open. When that one is gone, so
	// is the purpose.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	together(workers, func(int) {
		for {
			anchor := tokenstore.Key(fmt.Sprint("anchor ", rand.IntN(anchors)))
			items, err := c.store.Get(context.Background(), anchor)
			if err != nil {
				c.tell(message{Trouble: "Get: " + err.Error()})
				return
			}
			generation := map[tokenstore.Key]tokenstore.Revision{anchor: items[0].Revision}
			switch n := rand.IntN(10); {
			case n < 5:
				c.issueAndRedeem(generation)
			case n < 8:
				c.grantAndRevoke(generation)
			default:
				// Ends everything that was issued below the anchor.
				c.try(&operation{Put: []tokenstore.Key{anchor}})
			}
		}
	})
}

// issueAndRedeem saves a code under an anchor and has it redeemed by several at
// once, each of whom would get a token.
func (c *child) issueAndRedeem(generation map[tokenstore.Key]tokenstore.Revision) {
	code := tokenstore.Key("code " + c.name())
	rev := c.try(&operation{Expect: with(generation, code, 0), Put: []tokenstore.Key{code}})
	if rev == 0 {
		return
	}
	together(3, func(int) {
		c.try(&operation{Expect: with(generation, code, rev), Put: []tokenstore.Key{code, tokenstore.Key("token " + c.name())}})
	})
}

// grantAndRevoke saves a grant and has two revoke it by removing it.
func (c *child) grantAndRevoke(generation map[tokenstore.Key]tokenstore.Revision) {
	grant := tokenstore.Key("grant " + c.name())
	rev := c.try(&operation{Expect: with(generation, grant, 0), Put: []tokenstore.Key{grant}})
	if rev == 0 {
		return
	}
	together(2, func(int) {
		c.try(&operation{Expect: map[tokenstore.Key]tokenstore.Revision{grant: rev}, Delete: []tokenstore.Key{grant}})
	})
}

// with is generation and one more expectation.
func with(generation map[tokenstore.Key]tokenstore.Revision, key tokenstore.Key, rev tokenstore.Revision) map[tokenstore.Key]tokenstore.Revision {
	all := map[tokenstore.Key]tokenstore.Revision{key: rev}
	for k, r := range generation {
		all[k] = r
	}
	return all
}

// try applies an operation and tells the parent before and after. It returns 0
// when the operation was not done.
func (c *child) try(o *operation) tokenstore.Revision {
	o.Name = c.name()
	c.tell(message{Begin: o})
	rev, err := c.store.Apply(context.Background(), o.batch())
	switch {
	case err == nil:
		c.tell(message{End: o.Name, Rev: rev})
		return rev
	case errors.Is(err, tokenstore.ErrConflict):
		c.tell(message{End: o.Name, Refused: true})
	default:
		c.tell(message{Trouble: "Apply: " + err.Error()})
	}
	return 0
}

func (c *child) name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	return fmt.Sprint(c.life, "-", c.count)
}

func (c *child) tell(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.out.Encode(m); err != nil {
		os.Exit(1) // the parent is gone
	}
}
