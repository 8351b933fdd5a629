// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxHtpasswd is the size in bytes of the largest file that is read, MaxHtpasswdLine
	// the length of the longest line that counts.
	MaxHtpasswd     = 16 << 20
	MaxHtpasswdLine = 4096
	// lookPause is the least time between two looks whether the file has changed.
	lookPause = time.Second
	// settleTime is how long a file has to have stood still: whoever writes it in place
	// is not done before.
	settleTime = 100 * time.Millisecond
)

// Entry is a line of a file of htpasswd.
type Entry struct {
	// Line counts from 1.
	Line int
	// Name is in its canonical form.
	Name string
	Hash Hash
}

// ReadHtpasswd reads a file of htpasswd: a line NAME:HASH for each user, empty ones,
// and comments that begin with #. What follows a second colon is passed over. bad is
// told of each line that does not count, by its number and without what is in it. The
// error is that of reading, or of a file larger than [MaxHtpasswd].
func ReadHtpasswd(r io.Reader, bad func(line int, err error)) ([]Entry, error) {
	limited := &io.LimitedReader{R: r, N: MaxHtpasswd + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, MaxHtpasswdLine), MaxHtpasswd+2)
	var entries []Entry
	owners := map[string]int{} // the entry of a name; -1 where several claim it
	n := 0
	for lines.Scan() {
		n++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		e, err := parseEntry(text)
		if err != nil {
			bad(n, err)
			continue
		}
		e.Line = n
		if first, twice := owners[e.Name]; twice {
			bad(n, errors.New("another line has the same name, in this spelling or another: neither counts"))
			if first >= 0 {
				bad(entries[first].Line, errors.New("another line has the same name, in this spelling or another: neither counts"))
				entries[first].Name = ""
				owners[e.Name] = -1
			}
			continue
		}
		owners[e.Name] = len(entries)
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("the file is larger than %d bytes", MaxHtpasswd)
	}
	kept := entries[:0]
	for _, e := range entries {
		if e.Name != "" {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

func parseEntry(text []byte) (e Entry, err error) {
	if len(text) > MaxHtpasswdLine {
		return e, fmt.Errorf("it is longer than %d bytes", MaxHtpasswdLine)
	}
	name, rest, ok := bytes.Cut(text, []byte(":"))
	if !ok {
		return e, errors.New("it is not NAME:HASH")
	}
	if e.Name, err = Canonical(string(name)); err != nil {
		return e, err
	}
	hash, _, _ := bytes.Cut(rest, []byte(":"))
	e.Hash, err = ParseHash(string(hash))
	return e, err
}

// Htpasswd is a [Roster]: the users of a file of htpasswd, with bcrypt or argon2id
// hashes. The file is read when it is first needed, and again within a second of a
// change.
type Htpasswd struct {
	// Path of the file. Required.
	Path string
	// Log hears of lines that do not count. Required.
	Log *slog.Logger

	state atomic.Pointer[roster]
	// next is when to look at the file again, in nanoseconds since 1970.
	next    atomic.Int64
	reading sync.Mutex
	// now is the machine's clock; time.Now unless a test has another.
	now func() time.Time
}

// roster is what a file held.
type roster struct {
	hashes map[string]Hash
	// decoy is what a name that is not there costs: a hash that costs what most do.
	decoy Hash
	stamp stamp
}

// stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

// Load reads the file, and returns what is wrong with it: also a line that does not
// count, so that a mistake is seen when the configuration is loaded.
func (h *Htpasswd) Load() error {
	var faults []error
	r, err := h.read(func(line int, err error) {
		if len(faults) < 10 {
			faults = append(faults, fmt.Errorf("%s:%d: %w", h.Path, line, err))
		}
	})
	if err == nil {
		h.state.Store(r)
	}
	return errors.Join(append(faults, err)...)
}

// Verify implements [Source].
func (h *Htpasswd) Verify(ctx context.Context, name, password string) (Account, error) {
	r, err := h.roster()
	if err != nil {
		return Account{}, err
	}
	hash, ok := r.hashes[name]
	if !ok {
		hash = r.decoy
	}
	yes, err := hashing{params: DefaultParams(), turns: cores}.match(ctx, hash, password)
	if err != nil {
		return Account{}, err
	}
	if !ok || !yes || password == "" {
		return Account{}, ErrRefused
	}
	return Account{ID: name}, nil
}

// Has implements [Source].
func (h *Htpasswd) Has(_ context.Context, id string, _ time.Duration) (bool, error) {
	return h.Names(id)
}

// Names implements [Roster].
func (h *Htpasswd) Names(id string) (bool, error) {
	r, err := h.roster()
	if err != nil {
		return false, err
	}
	_, ok := r.hashes[id]
	return ok, nil
}

// TellsNames implements [Naming].
func (h *Htpasswd) TellsNames() bool { return true }

// HasName implements [Naming].
func (h *Htpasswd) HasName(_ context.Context, name string) (bool, error) { return h.Names(name) }

// roster returns what the file holds. At most once in [lookPause] somebody looks whether
// it has changed; nobody waits for who reads it.
func (h *Htpasswd) roster() (*roster, error) {
	now := h.clock()
	r, due := h.state.Load(), h.next.Load()
	if r != nil && now.UnixNano() < due {
		return r, nil
	}
	if r == nil {
		h.reading.Lock()
	} else if !h.reading.TryLock() {
		return r, nil
	}
	defer h.reading.Unlock()
	r, err := h.refresh(h.state.Load(), now)
	if err != nil {
		// Who has an account cannot be told, so nobody is refused for good, nor let in.
		h.state.Store(nil)
		return nil, err
	}
	h.state.Store(r)
	h.next.Store(now.Add(lookPause).UnixNano())
	return r, nil
}

// refresh returns what the file holds now, which is r while it has not changed.
func (h *Htpasswd) refresh(r *roster, now time.Time) (*roster, error) {
	info, err := os.Stat(h.Path)
	if err != nil {
		return nil, err
	}
	at := stamp{info.ModTime(), info.Size()}
	if r != nil {
		age := now.Sub(at.changed)
		if at == r.stamp || 0 <= age && age < settleTime {
			return r, nil
		}
	}
	fresh, err := h.read(func(line int, err error) {
		h.Log.Warn("a line of a file of users does not count", slog.String("file", h.Path), slog.Int("line", line), slog.Any("error", err))
	})
	if err != nil {
		return nil, err
	}
	return fresh, nil
}

func (h *Htpasswd) read(bad func(int, error)) (*roster, error) {
	file, err := os.Open(h.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	entries, err := ReadHtpasswd(file, bad)
	if err != nil {
		return nil, err
	}
	r := &roster{hashes: make(map[string]Hash, len(entries)), stamp: stamp{info.ModTime(), info.Size()}}
	alike := map[string]int{} // how many hashes cost the same
	for _, e := range entries {
		r.hashes[e.Name] = e.Hash
		costs := e.Hash.costs()
		if alike[costs]++; alike[costs] > alike[r.decoy.costs()] || r.decoy == "" {
			r.decoy = e.Hash
		}
	}
	return r, nil
}

// clock is the machine's.
func (h *Htpasswd) clock() time.Time {
	if h.now != nil {
		return h.now()
	}
	return time.Now()
}
