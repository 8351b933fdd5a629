// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is the unit of /proc/stat: USER_HZ, 100 on every Linux.
const ticksPerSecond = 100

// processCPU is the processor time that all threads of a process have used, to
// the nanosecond: the process's own CPU clock, not the 10 ms ticks of
// /proc/PID/stat, which would be 1 % of a sample.
func processCPU(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED, of clock_getcpuclockid(3)
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("reading the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// machineCPU is the processor time that the whole machine has used, on all
// cores, since it started.
func machineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var ticks int64
	for i, field := range fields[1:9] {
		if i == 3 || i == 4 { // idle and waiting for input or output
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// usage is the processor time that server and load have used at one moment.
type usage struct {
	at     time.Time
	server time.Duration
	load   time.Duration // load generator and upstream: this process
}

// readUsage reads the clocks now; server are the processes of the server.
func readUsage(server []int) (usage, error) {
	u := usage{at: time.Now()}
	for _, pid := range server {
		one, err := processCPU(pid)
		if err != nil {
			return u, err
		}
		u.server += one
	}
	var err error
	u.load, err = processCPU(os.Getpid())
	return u, err
}

// others is the processor time that all processes but some have used at one
// moment, with the kernel's work for nobody in particular.
type others struct {
	at   time.Time
	time time.Duration
}

// readOthers reads the clocks of the machine and of our own processes now.
func readOthers(ours []int) (others, error) {
	total, err := machineCPU()
	if err != nil {
		return others{}, err
	}
	for _, pid := range ours {
		own, err := processCPU(pid)
		if err != nil {
			return others{}, err
		}
		total -= own
	}
	return others{time.Now(), total}, nil
}

// since is the share of a core that others took between two readings.
func (o others) since(from others) float64 {
	return max(0, (o.time-from.time).Seconds()/o.at.Sub(from.at).Seconds())
}
