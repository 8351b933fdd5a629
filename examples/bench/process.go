// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopPatience is how long a process may take to end before it is killed.
const stopPatience = 10 * time.Second

// process is a running child whose output goes to a file.
type process struct {
	cmd    *exec.Cmd
	name   string
	log    string
	exited chan struct{} // closed when the process is gone
}

// start runs a command whose input may be nil and whose output goes to name.log
// in dir; begin puts it on its cores. When ctx ends, the process is asked to end, then killed.
func start(ctx context.Context, dir, name string, begin func(*exec.Cmd) error, env []string, input io.Reader, argv ...string) (*process, error) {
	logPath := filepath.Join(dir, name+".log")
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, input, out, out
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopPatience
	if err := begin(cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{cmd: cmd, name: name, log: logPath, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		cmd.Wait() // how it ended shows in the log, and at whoever still needed it
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the process and waits until it is gone.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopPatience):
		p.cmd.Process.Kill()
		<-p.exited
	}
}

// startPace is how often it is seen whether a process is ready that has just
// been started: often, because how long it takes is a result.
const startPace = 500 * time.Microsecond

// until calls ready at that pace until it says nil, the process has exited, or
// patience ends.
func (p *process) until(ctx context.Context, patience time.Duration, ready func() error, pace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	every := time.NewTicker(pace)
	defer every.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-every.C:
		case <-p.exited:
			return fmt.Errorf("%s exited: %s", p.name, p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w): %s", p.name, err, p.lastWords())
		}
	}
}

// lastWords is the end of the process's output.
func (p *process) lastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const enough = 2000
	return string(bytes.TrimSpace(text[max(0, len(text)-enough):]))
}
