// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

const (
	// importSize bounds a request of an import, in bytes, with room for what is around
	// its users.
	importSize = maxAdminBody - 1<<10
	// importHashes is how many users with a password in clear one request has at most:
	// each costs a hash.
	importHashes = 50
)

func userImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Adds the users of a CSV or htpasswd file",
		Long: `
Adds users from a file; "-" is standard input. The first line of a CSV file names its
columns: username, email (one of the two at least), name, groups (separated by ;),
and password_hash (argon2id or bcrypt, in quotes) or password. A file of htpasswd
needs --htpasswd, and hashes of bcrypt or argon2id.

The whole file is checked first, and faults are told by their lines. Who is there
already, by user name, stays as they are: an import that was interrupted can be
started again. Hashes are kept as they are, and made anew as their users sign in.`,
		Example: `  $ caddy oauth2 user import users.csv
  $ caddy oauth2 user import --htpasswd /etc/apache2/.htpasswd`,
		Args: takes("FILE"),
		RunE: action(importUsers),
	}
	cmd.Flags().Bool("htpasswd", false, "The file is one of htpasswd")
	return cmd
}

// importTotal is what an import has come to.
type importTotal struct {
	Added   int `json:"added"`
	Present int `json:"present"`
}

func importUsers(c *console) error {
	defer c.interruptible()()
	rows, err := c.readUsers()
	if err != nil {
		return err
	}
	var total importTotal
	bar := c.progress("importing", "users")
	defer bar.end()
	for done := 0; done < len(rows); {
		order, n, err := nextImport(rows[done:])
		if err != nil {
			return err
		}
		var result userImported
		if err := c.post("/oauth2/users/import", order, &result); err != nil {
			bar.end()
			return c.importStopped(err, rows[done:done+n], total)
		}
		for _, added := range result.Added {
			if added {
				total.Added++
			} else {
				total.Present++
			}
		}
		done += n
		bar.at(int64(done), int64(len(rows)))
	}
	bar.end()
	c.note("Added %d users; %d were there already.", total.Added, total.Present)
	return c.printChanged(total)
}

// readUsers reads the whole file.
func (c *console) readUsers() ([]user.Row, error) {
	in := c.cmd.InOrStdin()
	if name := c.args[0]; name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, refuse("%s", err)
		}
		defer file.Close()
		in = file
	}
	read := user.ReadCSV
	if htpasswd, _ := c.cmd.Flags().GetBool("htpasswd"); htpasswd {
		read = user.ReadHtpasswdRows
	}
	rows, err := read(in)
	if err != nil {
		return nil, refuse("%s, of which nothing was imported: %s", c.args[0], strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return rows, nil
}

// nextImport takes as many rows as one request has room for.
func nextImport(rows []user.Row) (order map[string][]json.RawMessage, n int, _ error) {
	size, hashes := 0, 0
	var users []json.RawMessage
	for _, row := range rows {
		text, err := json.Marshal(userAddition{
			Username: row.Username, Email: row.Email, Name: row.Name, Groups: row.Groups,
			Password: secretText(row.Password), PasswordHash: secretText(row.Hash),
		})
		if err != nil {
			return nil, 0, fmt.Errorf("encoding the user of line %d: %w", row.Line, err)
		}
		if row.Password != "" {
			hashes++
		}
		if size += len(text) + 1; size > importSize || hashes > importHashes || len(users) == user.MaxImport {
			break
		}
		users = append(users, text)
	}
	if len(users) == 0 {
		return nil, 0, refuse("the user of line %d is larger than a request can be", rows[0].Line)
	}
	return map[string][]json.RawMessage{"users": users}, len(users), nil
}

// importStopped says by its line which user could not be imported, and what was done.
func (c *console) importStopped(err error, rows []user.Row, total importTotal) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	text := f.text
	var number int
	if n, _ := fmt.Sscanf(text, "user %d:", &number); n == 1 && number >= 1 && number <= len(rows) {
		_, what, _ := strings.Cut(text, ": ")
		text = fmt.Sprintf("line %d: %s", rows[number-1].Line, what)
	}
	return &failure{f.code, fmt.Sprintf("%s. %d users were added before; mend it, and import the file again", text, total.Added)}
}
