// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bolt_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/storetest"
)

// Ensure that a process killed at any moment of its first start leaves no store or
// a whole one: never an empty file, never one that the next start refuses. Row
// FK05.
func TestKilledWhileMakingAStore(t *testing.T) {
	const kills, most = 10, 200
	made, unmade, takes := 0, 0, time.Duration(0)
	// On a busy machine they may all come too late: then there are more, at once.
	for i := 0; i <= kills || unmade == 0 && i < most; i++ {
		path := filepath.Join(t.TempDir(), "tokens.db")
		first := child(t, "hold the store", path)
		out, err := first.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := first.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		for names := 0; names == 0; { // its first file
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			names = len(entries)
			runtime.Gosched()
		}
		if begun := time.Now(); i == 0 { // how long it takes when nobody kills it
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
				t.Fatalf("the process says %q, %v", line, err)
			}
			takes = time.Since(begun)
		} else if i <= kills {
			moment := time.NewTimer(takes * time.Duration(i) / kills)
			<-moment.C
		}
		if err := first.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = first.Wait() // says that it was killed
		_ = in.Close()
		if _, err := os.Stat(path); err == nil {
			made++
		} else if unmade++; !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		s, err := bolt.Open(t.Context(), path, bolt.Options{})
		if err != nil {
			t.Errorf("kill %d: %v", i, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if made == 0 || unmade == 0 {
		t.Errorf("%d of %d stores were complete: this proves nothing", made, made+unmade)
	}
}

// shutdown is the ioctl that ends an ext4 or XFS file system as a power cut does;
// withoutLog leaves out what its journal has not written yet.
const (
	shutdown   = 0x8004587d
	withoutLog = 2
)

// powerCut is a file system in a file, which can be cut off. It takes root.
func powerCut(t *testing.T, kind string) storetest.Disk {
	t.Helper()
	dir := t.TempDir()
	image, at := filepath.Join(dir, "disk"), filepath.Join(dir, "mnt")
	run := func(name string, args ...string) error {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
		}
		return nil
	}
	mount := func() error { return run("mount", "-o", "loop", "-t", kind, image, at) }
	file, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(512<<20), file.Close(), os.Mkdir(at, 0o700), run("mkfs."+kind, "-q", image), mount()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run("umount", at); err != nil {
			t.Error(err)
		}
	})
	store := filepath.Join(at, "store")
	if err := errors.Join(os.Mkdir(store, 0o700), run("sync", "-f", at)); err != nil {
		t.Fatal(err)
	}
	return storetest.Disk{
		Dir: store,
		Cut: func() error {
			root, err := os.Open(at)
			if err != nil {
				return err
			}
			return errors.Join(unix.IoctlSetPointerInt(int(root.Fd()), shutdown, withoutLog), root.Close())
		},
		Mend: func() error { return errors.Join(run("umount", at), mount()) },
	}
}

// Ensure that nothing acknowledged is lost when the power is cut, and that this
// is because of the syncing: a store that does not sync fails the same test. Row FK04.
func TestPowerLoss(t *testing.T) {
	if !*bolt.Long {
		t.Skip("it takes root and loop devices: go test ./tokenstore/bolt -run PowerLoss -long")
	}
	t.Run("synced", func(t *testing.T) {
		if err := storetest.PowerLoss(t.Context(), open, powerCut(t, "ext4")); err != nil {
			t.Error(err)
		}
	})
	t.Run("unsynced", func(t *testing.T) {
		t.Setenv(envUnsynced, "yes")
		err := storetest.PowerLoss(t.Context(), open, powerCut(t, "ext4"))
		if !errors.Is(err, storetest.ErrBroken) {
			t.Errorf("a store that syncs nothing: %v", err)
		}
		t.Log(err)
	})
}
