// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

// userCommand is `caddy oauth2 user`.
func userCommand() *cobra.Command {
	return group(&cobra.Command{Use: "user", Short: "Manages the people who may sign in"},
		userAddCommand(), userListCommand(), userShowCommand(), userEditCommand(), userPasswdCommand(),
		userDisableCommand(), userEnableCommand(), userRemoveCommand(), userResetCommand(), userFactorsCommand(), userImportCommand())
}

// userFlags are the settings of a user.
func userFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("email", "", "E-mail address, by which they can sign in too")
	f.String("name", "", "Name that people read")
	f.StringArray("group", nil, "Group that they are in; repeat it for several")
	f.StringArray("claim", nil, "Further fact, NAME=VALUE; a value that is JSON is taken as such; repeat it for several")
	f.Bool("must-change", false, "Have them change the password after the next sign-in")
}

// userSettings is what the flags of [userFlags] say, and nothing that they do not.
func (c *console) userSettings() (map[string]any, error) {
	settings := map[string]any{}
	for _, flag := range []string{"username", "email", "name"} {
		if c.given(flag) {
			settings[flag] = c.flag(flag)
		}
	}
	if c.given("must-change") {
		settings["must_change"], _ = c.cmd.Flags().GetBool("must-change")
	}
	if c.given("group") {
		groups, _ := c.cmd.Flags().GetStringArray("group")
		settings["groups"] = slices.DeleteFunc(groups, func(g string) bool { return g == "" })
	}
	if c.given("claim") {
		texts, _ := c.cmd.Flags().GetStringArray("claim")
		claims := map[string]any{}
		for _, text := range texts {
			name, value, ok := strings.Cut(text, "=")
			if !ok || name == "" {
				return nil, refuse("--claim takes NAME=VALUE, not %q", text)
			}
			claims[name] = claimValue(value)
		}
		settings["claims"] = claims
	}
	return settings, nil
}

// claimValue is the value of a claim as it is written: JSON, or a text. Without a text
// it is none.
func claimValue(text string) any {
	var value any
	if text == "" {
		return nil
	}
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	return value
}

func userAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Adds a user to the store",
		Long: `
Adds a user by a user name, or an e-mail address, and asks for the password, which
is read from standard input where that is no terminal: 8 bytes at least. With
--no-password there is none yet: 'user reset-link' makes a link with which the user
chooses one.`,
		Example: `  $ caddy oauth2 user add zoe --email zoe@example.com --name "Zoë" --group staff
  $ printf %s "$PASSWORD" | caddy oauth2 user add bob --must-change
  $ caddy oauth2 user add sue@example.com --no-password && caddy oauth2 user reset-link sue@example.com`,
		Args: takes("NAME"),
		RunE: action(addUser),
	}
	userFlags(cmd)
	cmd.Flags().Bool("no-password", false, "Ask for no password")
	cmd.Flags().Bool("disabled", false, "Let them in only after 'user enable'")
	return cmd
}

func addUser(c *console) error {
	order, err := c.userSettings()
	if err != nil {
		return err
	}
	order["username"] = c.args[0]
	if !c.given("email") && strings.Contains(c.args[0], "@") {
		order["email"] = c.args[0]
	}
	if c.given("disabled") {
		order["disabled"], _ = c.cmd.Flags().GetBool("disabled")
	}
	if none, _ := c.cmd.Flags().GetBool("no-password"); !none {
		if order["password"], err = c.readPassword(); err != nil {
			return err
		}
	}
	var view userView
	if err := c.post("/oauth2/users", order, &view); err != nil {
		return err
	}
	c.note("Added user %s.", view.Username)
	return c.printUser(view)
}

func userPath(name string, rest ...string) string {
	return "/oauth2/users/" + strings.Join(append([]string{url.PathEscape(name)}, rest...), "/")
}

func userListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Lists the users, in the order in which they were added",
		Example: "  $ caddy oauth2 user list\n  $ caddy oauth2 user list --limit 0 --json | jq -r '.users[].username'",
		Args:    takes(),
		RunE:    action(listUsers),
	}
	pageFlags(cmd)
	return cmd
}

func listUsers(c *console) error {
	all := userList{Users: []userView{}}
	cursor, err := c.pages("/oauth2/users", url.Values{}, func(path string) (int, string, error) {
		var page userList
		err := c.get(path, &page)
		all.Users = append(all.Users, page.Users...)
		return len(page.Users), page.Cursor, err
	})
	if err != nil {
		return err
	}
	all.Cursor = cursor
	return c.print(all, func(w io.Writer) {
		var rows [][]string
		for _, v := range all.Users {
			rows = append(rows, []string{v.Username, v.Email, v.state(), v.Source, strings.Join(v.Groups, ", "), v.Name, v.Subject})
		}
		table(w, []string{"USERNAME", "EMAIL", "STATE", "SOURCE", "GROUPS", "NAME", "SUBJECT"}, rows)
		if len(rows) == 0 {
			c.note("There are no users yet. `caddy oauth2 user add NAME` adds one; those of a source come with their first sign-in.")
		}
	})
}

func (v userView) state() string {
	switch {
	case v.Disabled:
		return "disabled"
	case v.Source == "" && !v.Password:
		return "no password"
	case v.MustChange:
		return "must change"
	}
	return "enabled"
}

func userShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Shows a user, by user name, e-mail address or subject",
		Example: "  $ caddy oauth2 user show zoe@example.com",
		Args:    takes("NAME"),
		RunE: action(func(c *console) error {
			var view userView
			if err := c.get(userPath(c.args[0]), &view); err != nil {
				return err
			}
			return c.printUser(view)
		}),
	}
}

func (c *console) printUser(v userView) error {
	return c.print(v, func(w io.Writer) {
		pairs := [][2]string{
			{"subject", v.Subject}, {"username", v.Username}, {"email", v.Email}, {"name", v.Name}, {"state", v.state()},
			{"source", v.Source}, {"id at source", v.SourceID}, {"groups", strings.Join(v.Groups, ", ")},
			{"created", instant(v.Created)}, {"password set", instantOf(v.PasswordAt)}, {"source said yes", instantOf(v.SourceAt)},
		}
		for _, name := range slices.Sorted(maps.Keys(v.Claims)) {
			text, err := json.Marshal(v.Claims[name])
			if err != nil {
				text = []byte("?")
			}
			pairs = append(pairs, [2]string{"claim " + name, string(text)})
		}
		facts(w, pairs...)
	})
}

func userEditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edit NAME",
		Short: "Changes a user",
		Long: `
Changes what the flags name and leaves the rest as it is; an empty value empties the
setting. Groups are replaced, claims are set one by one. Guards obey at the next
request.`,
		Example: `  $ caddy oauth2 user edit zoe --group staff --group "Domain Users"
  $ caddy oauth2 user edit zoe --username zoe.smith --claim level=3 --claim shoe=`,
		Args: takes("NAME"),
		RunE: action(editUser),
	}
	userFlags(cmd)
	cmd.Flags().String("username", "", "Another user name")
	return cmd
}

func editUser(c *console) error {
	order, err := c.userSettings()
	if err != nil {
		return err
	}
	if len(order) == 0 {
		return refuse("nothing to change: name a setting, such as --group (see `%s --help`)", c.cmd.CommandPath())
	}
	return c.changeUser("edit", order, "Changed user %s.")
}

// changeUser does something to the user of the first argument, and says so.
func (c *console) changeUser(what string, order any, done string) error {
	var view userView
	if err := c.post(userPath(c.args[0], what), order, &view); err != nil {
		return err
	}
	c.note(done, view.Username)
	return c.printUser(view)
}

func userPasswdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Gives a user another password, and ends what they are signed in with",
		Long: `
Asks for the new password, which is read from standard input where that is no
terminal. The user's sessions and tokens end at once: whoever knew the old password
may have made them.`,
		Example: "  $ caddy oauth2 user passwd zoe --must-change",
		Args:    takes("NAME"),
		RunE: action(func(c *console) error {
			password, err := c.readPassword()
			if err != nil {
				return err
			}
			order := map[string]any{"password": password}
			order["must_change"], _ = c.cmd.Flags().GetBool("must-change")
			return c.changeUser("password", order, "User %s has another password. Sessions and tokens from before are refused.")
		}),
	}
	cmd.Flags().Bool("must-change", false, "Have them change it after the next sign-in")
	return cmd
}

func userDisableCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "disable NAME",
		Short:   "Shuts a user out; sessions and tokens end at once",
		Example: "  $ caddy oauth2 user disable zoe",
		Args:    takes("NAME"),
		RunE: action(func(c *console) error {
			return c.changeUser("disable", struct{}{}, "Disabled user %s. Sessions and tokens are refused from now on.")
		}),
	}
}

func userEnableCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "enable NAME",
		Short:   "Lets a disabled user in again, who has to sign in anew",
		Example: "  $ caddy oauth2 user enable zoe",
		Args:    takes("NAME"),
		RunE: action(func(c *console) error {
			return c.changeUser("enable", struct{}{}, "Enabled user %s.")
		}),
	}
}

func userRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Removes a user; sessions and tokens end at once",
		Long: `
Removes a user for good. Somebody who is given the same name later is somebody else.
Who has an account at a source can sign in again, as a new user: to shut them out,
disable them.`,
		Example: "  $ caddy oauth2 user remove zoe",
		Args:    takes("NAME"),
		RunE: action(func(c *console) error {
			var end userEnding
			if err := c.post(userPath(c.args[0], "remove"), struct{}{}, &end); err != nil {
				return err
			}
			c.note("Removed user %s. Sessions and tokens are refused from now on.", c.args[0])
			return c.printChanged(end)
		}),
	}
}

func userFactorsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reset-factors NAME",
		Short: "Takes all second factors from a user who has lost them",
		Long: `
Removes the passkeys, the authenticator app and the recovery codes of a user, and ends
their sessions. The password alone then signs them in, until they set a factor up again:
make sure first who is asking.`,
		Example: "  $ caddy oauth2 user reset-factors zoe",
		Args:    takes("NAME"),
		RunE: action(func(c *console) error {
			return c.changeUser("reset-factors", struct{}{}, "User %s has no second factor any more, and is signed out.")
		}),
	}
}

func userResetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset-link NAME",
		Short: "Prints a link with which a user chooses a password, once",
		Long: `
Prints a link for a user who has forgotten the password, or has none yet. It counts
once, for --lifetime; another password ends it. Whoever has it can become the user:
send it to nobody else.`,
		Example: "  $ caddy oauth2 user reset-link zoe --lifetime 15m",
		Args:    takes("NAME"),
		RunE:    action(resetUser),
	}
	cmd.Flags().String("lifetime", user.DefaultResetLifetime.String(), fmt.Sprintf("How long it counts, %v to %v", user.MinResetLifetime, user.MaxResetLifetime))
	return cmd
}

func resetUser(c *console) error {
	lifetime, err := c.duration("lifetime")
	if err != nil {
		return err
	}
	var link resetLink
	if err := c.post(userPath(c.args[0], "reset-link"), map[string]client.Duration{"lifetime": lifetime}, &link); err != nil {
		return err
	}
	c.note("With this link %s chooses a password, once, until %s:", c.args[0], instant(link.Expires))
	return c.print(link, func(w io.Writer) { io.WriteString(w, plain(string(link.URL))+"\n") })
}
