// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

// This file is where the rules of the command line stand. They hold for every
// `caddy oauth2 …` and change only with a major version.
//
//  1. Standard output carries what was asked for and nothing else: a table for
//     people or, with --json, one JSON document, the admin API's own. A new
//     secret or token stands there alone on its line, so that
//     $(caddy oauth2 token issue …) is the token.
//  2. Everything else goes to standard error: what was done, notes, progress,
//     what went wrong and the way out. A bar is drawn only on a terminal.
//  3. Tokens and secrets come from standard input (the argument "-", a pipe, or
//     a prompt that does not echo), never from arguments, which other users
//     of the machine can read and shells keep.
//  4. Exit codes: see the exit… constants.
//  5. It goes through the admin endpoint of a running Caddy: the store's file
//     belongs to that process. What can be done only while none runs (restore,
//     store …) opens the file, and refuses while another process has it.
//  6. Nothing that came from elsewhere reaches a terminal with its control
//     characters.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// Exit codes. 2 is left out: Caddy ends with it when it is forced to quit.
const (
	exitDone     = 0
	exitRefused  = 1 // wrong use, or the running Caddy refused: the message says why
	exitNotFound = 3 // what was named does not exist
	exitNoCaddy  = 4 // no admin endpoint answered
	exitTrouble  = 5 // Caddy answered that it cannot at the moment: try again
	exitDamaged  = 6 // the store, or a backup, was found damaged
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "oauth2",
		Short: "Manages OAuth clients, users, tokens, grants, keys and the store",
		Long: `
Manages the OAuth authorization server and guards of a running Caddy, through
its admin endpoint: '` + caddy.DefaultAdminListen + `', or what --address names, or what
the configuration named by --config says. Only 'restore' and 'store' work on the
store's file while no Caddy has it open.

Results go to standard output, everything else to standard error. With --json
the result is one JSON document. Secrets, tokens and passwords are read from standard
input and never from arguments.

Exit codes: 0 done; 1 refused or wrong use; 3 no such client, user, grant or token;
4 no admin endpoint answered; 5 trouble, try again; 6 the store is damaged.`,
		CobraFunc: buildCommand,
	})
}

// buildCommand hangs the commands below root, which is `caddy oauth2`.
func buildCommand(root *cobra.Command) {
	root.Example = `  $ caddy oauth2 client add nightly-job --scopes "orders:read"
  $ curl -H "Authorization: Bearer $(caddy oauth2 token issue nightly-job)" https://api.example.com/orders
  $ caddy oauth2 explain GET https://api.example.com/orders/7`
	flags := root.PersistentFlags()
	flags.String("address", "", "Address of the admin endpoint (if --config is not used)")
	flags.StringP("config", "c", "", "Configuration file that names the admin endpoint (if --address is not used)")
	flags.StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
	flags.Bool("json", false, "Print the result as one JSON document")
	group(root, clientCommand(), userCommand(), tokenCommand(), grantCommand(), keyCommand(),
		backupCommand(), restoreCommand(), storeCommand(),
		statsCommand(), auditCommand(), explainCommand())
}

// group makes cmd a mere parent of commands: alone it shows its help, and an
// unknown word after it is an error.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.DisableFlagsInUseLine = true
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := "see --help"
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return fmt.Errorf("%s has no command %q; %s", cmd.CommandPath(), args[0], hint)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(commands...)
	return cmd
}

// takes makes a command take exactly the arguments of these names.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s needs %s; see --help", cmd.CommandPath(), strings.Join(names[len(args):], " and "))
		case len(args) > len(names):
			return fmt.Errorf("%s does not take %q; see --help", cmd.CommandPath(), args[len(names)])
		}
		return nil
	}
}

// console is what a command works with.
type console struct {
	ctx  context.Context
	cmd  *cobra.Command
	args []string
	json bool
}

// failure is an error with the exit code it ends with.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

// refuse is a failure for wrong use.
func refuse(format string, args ...any) error {
	return &failure{exitRefused, fmt.Sprintf(format, args...)}
}

// action makes do a command's work: its error becomes one line on standard
// error and an exit code.
func action(do func(*console) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c := &console{ctx: cmd.Context(), cmd: cmd, args: args}
		if c.ctx == nil {
			c.ctx = context.Background()
		}
		c.json, _ = cmd.Flags().GetBool("json")
		err := do(c)
		if err == nil {
			return nil
		}
		cmd.SilenceErrors = true
		c.note("caddy oauth2: %s", err)
		var f *failure
		if !errors.As(err, &f) || f.code == exitRefused {
			return err
		}
		// Caddy's main takes an exit code above 1 only from its own error
		// type, which this wrapper makes.
		return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
			return f.code, nil
		})(cmd, args)
	}
}

// interruptible lets Ctrl-C end the command's work in order: what was half done
// is tidied up.
func (c *console) interruptible() (stop func()) {
	ctx, stop := signal.NotifyContext(c.ctx, os.Interrupt)
	c.ctx = ctx
	return stop
}

func (c *console) out() io.Writer { return c.cmd.OutOrStdout() }

// note writes a line to standard error.
func (c *console) note(format string, args ...any) {
	fmt.Fprintln(c.cmd.ErrOrStderr(), plain(fmt.Sprintf(format, args...)))
}

func (c *console) flag(name string) string {
	value, _ := c.cmd.Flags().GetString(name)
	return value
}

// given says whether the flag was set, to whatever value.
func (c *console) given(name string) bool { return c.cmd.Flags().Changed(name) }

// terminal is the file behind a stream, when that is one.
func terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && isTerminal(int(f.Fd()))
}
