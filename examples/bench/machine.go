// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is where and with what a report came about.
type machine struct {
	Time     time.Time         `json:"time"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Kernel   string            `json:"kernel"`
	Go       string            `json:"go"`
	Commit   string            `json:"commit"`
	Versions map[string]string `json:"versions"`
	Load     string            `json:"load"` // the three load averages, before the run
	Layout   string            `json:"layout"`
}

// describeMachine says where this run happens. root is the product's folder.
func describeMachine(c cores, root string) machine {
	m := machine{Time: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), Cores: c.all.Count(), Versions: map[string]string{}}
	m.Layout = fmt.Sprintf("server on core %d; load generator and upstream on core %d", c.server, c.load)
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		m.Cores = strings.Count(string(text), "\ncpu")
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err == nil {
		m.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	if out, err := exec.Command("git", "-C", root, "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	return m
}

// addVersions notes the versions of what a binary is built from.
func (m *machine) addVersions(binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("reading the versions in %s: %w", binary, err)
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/caddyserver/caddy/v2", "go.etcd.io/bbolt", "github.com/dgraph-io/ristretto/v2":
			m.Versions[path.Base(strings.TrimSuffix(dep.Path, "/v2"))] = dep.Version
		}
	}
	return nil
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, Linux %s, %s, Caddy %s, bbolt %s, ristretto %s, commit %s, %s UTC, load before %s; %s.",
		m.CPU, m.Cores, m.Kernel, m.Go, m.Versions["caddy"], m.Versions["bbolt"], m.Versions["ristretto"],
		m.Commit, m.Time.Format(time.DateTime), m.Load, m.Layout)
}
