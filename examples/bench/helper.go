// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// helpers are what this program does in processes of their own, so that it
// happens on the right core and its time and memory can be told from the load
// generator's. Each is told what to do in JSON on its standard input, where a
// secret is seen by nobody, and answers in JSON on its standard output.
var helpers = map[string]func(context.Context) error{
	"fill":  helper(fillHelper),
	"bare":  helper(bareHelper),
	"sweep": helper(sweepHelper),
}

func helper[Order, Answer any](do func(context.Context, Order) (Answer, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		var order Order
		if err := json.NewDecoder(os.Stdin).Decode(&order); err != nil {
			return fmt.Errorf("reading what to do: %w", err)
		}
		answer, err := do(ctx, order)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(answer)
	}
}

// help runs a helper to its end.
func (b *bench) help(ctx context.Context, name string, begin func(*exec.Cmd) error, order, answer any) error {
	input, err := orderFor(order)
	if err != nil {
		return err
	}
	var out, trouble strings.Builder
	cmd := exec.CommandContext(ctx, b.self, name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &out, &trouble
	if err := begin(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(trouble.String()))
	}
	return json.Unmarshal([]byte(out.String()), answer)
}

func orderFor(order any) (io.Reader, error) {
	text, err := json.Marshal(order)
	return strings.NewReader(string(text)), err
}
