// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// Ensure that a gateway which is killed while it issues and revokes comes back
// with all that was acknowledged, and a sound store. Row FK01; the store's own
// crash suite has single use and many more kills (FK02, FK03).
func TestKillsUnderLoad(t *testing.T) {
	g, _ := startGuarded(t)
	load := g.startLoad(6)
	// A kill may come while no request is on its way: then there is another one.
	for i := 0; i < rounds(3, 300) || i < 20 && load.count(unknown) == 0; i++ {
		load.until(20 + rand.IntN(60))
		g.kill()
		g.start()
	}
	load.until(20)
	load.stop()
	load.judge()
	if load.count(unknown) == 0 {
		t.Error("no request met a kill: this proves little")
	}
	g.stop()
	g.offline(0, "store", "check")
}

// Ensure that a kill in the middle of a reload leaves a gateway that starts with
// either configuration, and with all that was acknowledged. Rows FR01, FK01.
func TestKillDuringReload(t *testing.T) {
	g, _ := startGuarded(t)
	load := g.startLoad(2)
	for i := range rounds(2, 100) {
		load.until(10)
		var reloads sync.WaitGroup
		begun := make(chan struct{})
		reloads.Go(func() {
			close(begun)
			for n := 0; ; n++ {
				// Until the kill, after which nobody answers.
				if g.reload(guarded+fmt.Sprintf("# %d %d\n", i, n)) != nil {
					return
				}
			}
		})
		<-begun
		load.until(1 + rand.IntN(20))
		g.kill()
		reloads.Wait()
		g.start()
	}
	load.until(10)
	load.stop()
	load.judge()
}

// Ensure that SIGTERM under load loses nothing that was acknowledged, answers what
// was begun, and ends with exit code 0. Row FR05.
func TestStopUnderLoad(t *testing.T) {
	g, _ := startGuarded(t)
	load := g.startLoad(6)
	for range rounds(2, 50) {
		load.until(30)
		if code := g.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		g.start()
	}
	load.until(20)
	load.stop()
	load.judge()
}

// Ensure that a process which takes over, port and store, while the one before it
// still serves, loses nothing and refuses nobody. Row FK15 and FR04.
func TestTakeoverUnderLoad(t *testing.T) {
	g, _ := startGuarded(t)
	load := g.startLoad(4)
	for range rounds(1, 20) {
		load.until(20)
		// Both listen at one port: the kernel deals connections out to both.
		first, exited := g.cmd, g.exited
		before := strings.Count(g.logs.String(), "waiting for it to let go")
		g.launch()
		eventually(t, "the next process waits for the store", func() bool {
			return strings.Count(g.logs.String(), "waiting for it to let go") > before
		})
		second, next := g.cmd, g.exited
		g.cmd, g.exited = first, exited
		if code := g.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		g.cmd, g.exited = second, next
		eventually(t, "the next process serves", func() bool { return g.loaded() && accepts("127.0.0.1:"+g.port) })
	}
	load.until(20)
	load.stop()
	load.judge()
}

// Ensure that reloads which follow one another as fast as they can, from several
// sides, good ones and bad ones, fail nobody, and that the store is opened once.
// Rows FR02 and FR04.
func TestReloadStorm(t *testing.T) {
	g, _ := startGuarded(t)
	g.client.Transport = persistent{g.client.Transport}
	load := g.startLoad(2)
	load.until(10)
	open := func() int { return g.descriptors("tokens.db") }
	if n := open(); n != 1 {
		t.Fatalf("the store is open %d times", n)
	}
	before := g.descriptors("")
	bad := broken(t, guarded)
	var storm sync.WaitGroup
	for side := range 3 {
		storm.Go(func() {
			for i := range rounds(8, 300) {
				if side == 0 {
					if err := g.load(bad[i%len(bad)]); err == nil {
						t.Error("a broken configuration was taken")
					}
				} else if err := g.load(guarded + fmt.Sprintf("# %d %d\n", side, i)); err != nil {
					t.Errorf("a reload: %v", err)
				}
			}
		})
	}
	storm.Wait()
	load.stop()
	load.judge()
	if n := load.count(trouble) + load.count(unknown); n > 0 {
		t.Errorf("%d requests failed", n)
	}
	if n := open(); n != 1 {
		t.Errorf("the store is open %d times", n)
	}
	g.client.CloseIdleConnections()
	eventually(t, "files and sockets of old configurations are closed", func() bool { return g.descriptors("") <= before+5 })
}

// load hands a configuration to the admin endpoint. Unlike [gateway.reload] it
// can be called from many sides.
func (g *gateway) load(caddyfile string) error {
	resp, err := g.client.Post("http://"+g.admin+"/load", "text/caddyfile", strings.NewReader(caddyfile))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return errors.New(resp.Status)
	}
	return nil
}
