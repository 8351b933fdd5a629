// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// Some tests need a process of their own: the test binary, run again in a role.
const (
	envRole = "BOLT_TEST_ROLE"
	envPath = "BOLT_TEST_PATH"
)

var children = map[string]func(path string) error{
	"hold the store":          hold,
	"fill the disk":           fill,
	"compact and stand still": stop,
}

// child is a process that plays a role. Tests that start one do not run beside others:
// until it executes its program it holds the locks of all stores that are open here,
// on a busy machine for longer than an opening waits.
func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), envRole+"="+role, envPath+"="+path)
	return cmd
}

// hold opens the store and keeps it until its input ends.
func hold(path string) error {
	s, err := bolt.Open(context.Background(), path, bolt.Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, s.Close())
}

// Ensure that a second process is told that the store is in use, and that the
// lock of one that was killed is free.
func TestSecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	first := child(t, "hold the store", path)
	in, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the first process says %q, %v", line, err)
	}
	if _, err := bolt.Open(t.Context(), path, bolt.Options{}); !errors.Is(err, tokenstore.ErrLocked) {
		t.Errorf("opening the store a second time: %v", err)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // says that it was killed
	s, err := bolt.Open(t.Context(), path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Ensure that with a full disk issuing fails cleanly, that reading and revoking
// go on, and that everything does once there is room.
func TestFullDisk(t *testing.T) {
	out, err := child(t, "fill the disk", filepath.Join(t.TempDir(), "tokens.db")).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// fill limits how large a file may be, which is as good as a full disk and does
// not take a disk.
func fill(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	s, err := bolt.Open(ctx, path, bolt.Options{})
	if err != nil {
		return err
	}
	put := func(key string, urgent bool) (tokenstore.Revision, error) {
		b := tokenstore.Batch{Put: []tokenstore.Put{{Key: tokenstore.Key(key), Value: []byte(strings.Repeat("v", 1000))}}, Urgent: urgent}
		_, _ = rand.Read(b.ID[:])
		return s.Apply(ctx, b)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	limit := before
	limit.Cur = uint64(s.Stats().FileBytes)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}

	// Issue until the disk is full.
	written := make(map[string]tokenstore.Revision)
	for i := 0; err == nil && i < 10_000; i++ {
		var rev tokenstore.Revision
		key := fmt.Sprint("token ", i)
		if rev, err = put(key, false); err == nil {
			written[key] = rev
		}
	}
	if !errors.Is(err, tokenstore.ErrFull) {
		return fmt.Errorf("after %d tokens: %w, want ErrFull", len(written), err)
	}

	// Reading, and revoking, a hundred times.
	for i := range 100 {
		key := fmt.Sprint("revocation ", i)
		rev, err := put(key, true)
		if err != nil {
			return fmt.Errorf("revocation %d: %w", i, err)
		}
		written[key] = rev
	}
	if err := compare(ctx, s, written); err != nil {
		return err
	}
	if _, err := put("token", false); !errors.Is(err, tokenstore.ErrFull) {
		return fmt.Errorf("a token while the disk is full: %w, want ErrFull", err)
	}

	// Room again.
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		rev, err := put("token", false)
		if err == nil {
			written["token"] = rev
			break
		}
		if !errors.Is(err, tokenstore.ErrFull) || time.Now().After(deadline) {
			return fmt.Errorf("with room again: %w", err)
		}
	}

	if err := s.Close(); err != nil {
		return err
	}
	if s, err = bolt.Open(ctx, path, bolt.Options{}); err != nil {
		return err
	}
	return errors.Join(compare(ctx, s, written), s.Close())
}

// compare reads what was written.
func compare(ctx context.Context, s *bolt.Store, written map[string]tokenstore.Revision) error {
	for key, rev := range written {
		items, err := s.Get(ctx, tokenstore.Key(key))
		if err != nil {
			return err
		}
		if items[0].Revision != rev {
			return fmt.Errorf("%s is at %d, want %d", key, items[0].Revision, rev)
		}
	}
	return nil
}
