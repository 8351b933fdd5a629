// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// envServerCore carries the server's core from the process that a person
// started to the same program, executed again on the load core.
const envServerCore = "CADDY_OAUTH2_BENCH_SERVER_CORE"

// errOneCore is why a machine with a single core gets no ratios: load and
// server would take each other's time, and the quotient would mean nothing.
var errOneCore = errors.New("server and load need a core each, and this process may use only one: no ratio would mean anything here")

// cores says who runs where. The server has a core of its own; load generator
// and upstream share the other one.
type cores struct {
	server int
	load   int
	all    unix.CPUSet
}

// settle puts this process on the load core. It does so by executing the
// program again, because only threads that are born on a core are surely there
// and because the Go runtime sizes itself by the cores it sees at start. In the
// second life it just says where everybody is.
func settle() (cores, error) {
	if c, ok, err := settled(); ok || err != nil {
		return c, err
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return cores{}, fmt.Errorf("reading the allowed cores: %w", err)
	}
	list := members(&allowed)
	if len(list) < 2 {
		return cores{}, errOneCore
	}
	runtime.LockOSThread()
	var only unix.CPUSet
	only.Set(list[1])
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return cores{}, fmt.Errorf("moving to core %d: %w", list[1], err)
	}
	env := append(os.Environ(), envServerCore+"="+strconv.Itoa(list[0]))
	return cores{}, fmt.Errorf("executing again on core %d: %w", list[1], syscall.Exec("/proc/self/exe", os.Args, env))
}

// settled reports where everybody is, when this is the second life.
func settled() (cores, bool, error) {
	text, ok := os.LookupEnv(envServerCore)
	if !ok {
		return cores{}, false, nil
	}
	server, err := strconv.Atoi(text)
	if err != nil {
		return cores{}, false, fmt.Errorf("%s: %w", envServerCore, err)
	}
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return cores{}, false, fmt.Errorf("reading the allowed cores: %w", err)
	}
	list := members(&own)
	if len(list) != 1 || list[0] == server {
		return cores{}, false, fmt.Errorf("%s is set, but this process is on cores %v: unset it", envServerCore, list)
	}
	c := cores{server: server, load: list[0]}
	for cpu := range runtime.NumCPU() + server + list[0] + 1 {
		c.all.Set(cpu) // the kernel leaves out those that do not exist
	}
	return c, true, nil
}

// onServer starts cmd on the server's core.
func (c cores) onServer(cmd *exec.Cmd) error {
	var set unix.CPUSet
	set.Set(c.server)
	return startOn(&set, cmd)
}

// onAll starts cmd on all cores: compilers and bulk loads, never anything that
// is measured.
func (c cores) onAll(cmd *exec.Cmd) error { return startOn(&c.all, cmd) }

// startOn starts cmd from a thread that is, for this moment, on the cores of
// set: a child begins with its parent thread's affinity. The child dies with
// this program, whatever way that ends.
func startOn(set *unix.CPUSet, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("reading the allowed cores: %w", err)
	}
	if err := unix.SchedSetaffinity(0, set); err != nil {
		return fmt.Errorf("choosing cores %v: %w", members(set), err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	startErr := cmd.Start()
	return errors.Join(startErr, unix.SchedSetaffinity(0, &before))
}

// members lists the cores of a set in order.
func members(set *unix.CPUSet) []int {
	var list []int
	for cpu := 0; len(list) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			list = append(list, cpu)
		}
	}
	return list
}
