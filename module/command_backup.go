// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// backupStall is how long a backup may stand still.
const backupStall = 60 * time.Second

// backupCommand is `caddy oauth2 backup`.
func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup [--output FILE|-]",
		Short: "Copies the store while Caddy serves",
		Long: `
Copies the store, as it is at one moment, while Caddy serves and writes. The
file is written under another name, synced, read back, and only then named: it
is whole or not there. It has mode 0600. With --output - the copy goes to
standard output; only exit code 0 says that it is whole.

The backup does not contain the sealing key. Keep a copy of that elsewhere:
without it a backup is worth nothing, and who has both can forge records.

It works only where the admin endpoint is on this machine: a loopback address or
a unix socket.`,
		Example: `  $ caddy oauth2 backup --output /backup/tokens.db --force
  $ caddy oauth2 backup --output - | ssh vault 'cat > tokens.db'`,
		Args: takes(),
		RunE: action(backUp),
	}
	cmd.Flags().StringP("output", "o", "", "The file to write, or - for standard output (default: oauth2-TIME.db in this directory)")
	cmd.Flags().Bool("force", false, "Replace the file if it is there")
	return cmd
}

// backupMade is what a backup came to.
type backupMade struct {
	storeView
	SHA256 string `json:"sha256"`
}

func backUp(c *console) error {
	defer c.interruptible()()
	file := c.flag("output")
	if file == "-" {
		if c.json {
			return refuse("--json and --output - both want standard output: give one")
		}
		_, err := c.receive(c.out())
		return err
	}
	if file == "" {
		file = "oauth2-" + time.Now().UTC().Format("20060102T150405Z") + ".db"
	}
	force, _ := c.cmd.Flags().GetBool("force")
	if _, err := os.Lstat(file); err == nil && !force {
		return refuse("%s is there already; --force replaces it", file)
	}
	draft, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".new-*") // mode 0600
	if err != nil {
		return refuse("%s", err)
	}
	defer os.Remove(draft.Name())
	digest, err := c.receive(draft)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		var told *failure
		if errors.As(err, &told) {
			return told
		}
		return &failure{exitTrouble, "writing the backup: " + err.Error()}
	}
	made := backupMade{SHA256: digest}
	if made.storeView, err = c.examine(draft.Name(), nil); err != nil {
		return err
	}
	made.File = file
	if err := publish(draft.Name(), file, force); err != nil {
		return refuse("%s", err)
	}
	c.note("Backed up. The sealing key (%s) is not in it: keep a copy of that elsewhere.", words(made.SealKeys))
	return c.print(made, func(w io.Writer) {
		facts(w, [2]string{"file", file}, [2]string{"size", size(made.FileBytes)}, [2]string{"sha256", digest},
			[2]string{"store", made.Store}, [2]string{"revision", strconv.FormatUint(made.Revision, 10)})
	})
}

// publish gives a finished file its name, durably.
func publish(draft, file string, force bool) error {
	if force {
		if err := os.Rename(draft, file); err != nil {
			return err
		}
	} else if err := nameNew(draft, file); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s has appeared meanwhile; --force replaces it", file)
	} else if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// receive writes the running Caddy's backup to w, and returns its digest once it
// is known to be whole.
func (c *console) receive(w io.Writer) (digest string, err error) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	stall := time.AfterFunc(backupStall, cancel)
	defer stall.Stop()
	answer, address, err := c.send(ctx, http.MethodPost, "/oauth2/backup", struct{}{})
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err != nil {
			return "", unreachable(address, err)
		}
		return "", refused(address, answer.StatusCode, text)
	}
	total, _ := strconv.ParseInt(answer.Header.Get(backupSizeHeader), 10, 64)
	bar := c.progress("backing up", "")
	defer bar.end()
	sum := sha256.New()
	copied := int64(0)
	piece := make([]byte, 1<<20)
	for {
		n, err := answer.Body.Read(piece)
		stall.Reset(backupStall)
		if n > 0 {
			sum.Write(piece[:n])
			if _, err := w.Write(piece[:n]); err != nil {
				return "", &failure{exitTrouble, "writing the backup: " + err.Error()}
			}
			copied += int64(n)
			bar.at(copied, total)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", &failure{exitTrouble, "Caddy broke the backup off: what has arrived of it is worth nothing. See Caddy's log, and try again"}
		}
	}
	digest = hex.EncodeToString(sum.Sum(nil))
	if answer.Trailer.Get(backupDigestHeader) != digest {
		return "", &failure{exitTrouble, "the backup did not arrive as Caddy sent it: it is worth nothing. Try again"}
	}
	return digest, nil
}
