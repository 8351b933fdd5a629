// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Ensure that the keys which sign tokens are rotated under load without one request
// failing: what each key signed is taken here, and by others who read the published
// ones, until it is revoked. Row FR08.
func TestSigningKeyRotationUnderLoad(t *testing.T) {
	g, _ := startSigned(t)
	first := g.shopToken("user")
	load := g.startLoad(3)
	const inTurn = 3 // at leisure, at once, and at leisure again with the one before not yet signing
	for i := range inTurn * rounds(2, 15) {
		load.until(20)
		before := g.kids()
		g.administer("/oauth2/keys/rotate", map[string]any{"signing": true, "now": i%inTurn == 1})
		if now := g.kids(); i%inTurn != 1 && !slices.Equal(now[:min(len(now), len(before))], before) {
			t.Errorf("published were %v and are %v", before, now)
		}
		for name, token := range map[string]string{"the first token": first, "one from after rotation": g.shopToken("user")} {
			if _, err := g.verifyElsewhere(token); err != nil {
				t.Errorf("%s, elsewhere, in round %d: %v", name, i, err)
			}
		}
	}
	load.until(20)
	load.stop()
	load.judge()
	if n := load.count(trouble) + load.count(unknown); n > 0 {
		t.Errorf("%d requests failed", n)
	}
	if n := len(g.kids()); n < 3 {
		t.Errorf("%d keys are published after all that", n)
	}
}

// asserting are clients at work that authenticate by assertions, each of which they
// send again and again: it gets one answer at most, whatever happens to the gateway.
type asserting struct {
	*ledger
	by asserter

	mu    sync.Mutex
	spent []string // those that got an answer
}

// Ensure that no assertion is answered twice, at once or one after the other, by a
// gateway that is killed and started again: that it was used is durable before anybody
// gets an answer to it. Rule S3, rows A11, FK01 and FK02.
func TestKillsUnderAssertions(t *testing.T) {
	g, by, _ := startAssertions(t)
	a := &asserting{ledger: g.ledger(), by: by}
	end := make(chan struct{})
	var clients sync.WaitGroup
	finish := sync.OnceFunc(func() { close(end); clients.Wait(); a.client.CloseIdleConnections() })
	t.Cleanup(finish)
	for range 3 {
		clients.Go(func() { a.work(end) })
	}
	// A kill may come while no request is on its way: then there is another one.
	for i := 0; i < rounds(3, 100) || i < 20 && a.count(unknown) == 0; i++ {
		goal := a.count(done) + 10 + rand.IntN(20)
		eventually(t, "assertions are answered", func() bool { return a.count(done) >= goal })
		g.kill()
		g.start()
		a.again()
	}
	finish()
	a.again()
	if a.count(unknown) == 0 {
		t.Error("no request met a kill: this proves little")
	}
	g.stop()
	g.offline(0, "store", "check")
}

// work sends one assertion after the other until end is closed, each twice at once and
// then once more.
func (a *asserting) work(end chan struct{}) {
	for {
		assertion := a.by.text(a.g, a.by.claims(a.g, nil), nil)
		var answers, lost atomic.Int32
		send := func() {
			switch a.redeem(assertion) {
			case done:
				answers.Add(1)
			case trouble, unknown:
				lost.Add(1)
			}
		}
		var both sync.WaitGroup
		both.Go(send)
		both.Go(send)
		both.Wait()
		if answers.Load()+lost.Load() == 0 {
			a.g.t.Error("an assertion in order was refused")
		}
		send()
		if n := answers.Load(); n > 1 {
			a.g.t.Errorf("an assertion got %d answers", n)
		}
		if answers.Load() == 1 {
			a.mu.Lock()
			a.spent = append(a.spent, assertion)
			a.mu.Unlock()
		}
		select {
		case <-end:
			return
		case <-time.After(10 * time.Millisecond): // nobody may be there
		}
	}
}

// again sends what was answered lately once more, to a gateway that is well.
func (a *asserting) again() {
	a.mu.Lock()
	spent := slices.Clone(a.spent[max(0, len(a.spent)-20):])
	a.mu.Unlock()
	for _, assertion := range spent {
		o := unknown
		eventually(a.g.t, "there is an answer", func() bool { o = a.redeem(assertion); return o == refused || o == done })
		if o == done {
			a.g.t.Error("an assertion was answered again")
		}
	}
}

// redeem asks for a token by an assertion, from an address of its own.
func (a *asserting) redeem(assertion string) outcome {
	r := a.form("/oauth/token", url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion}, "grant_type": {"client_credentials"},
	})
	r.Header.Del("Authorization")
	n := asserted.Add(1)
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff))
	o, _, _ := a.send(r)
	return o
}
