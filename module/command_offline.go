// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// offlineFlags adds the flags by which a command finds a store that no Caddy has
// open.
func offlineFlags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("file", "", "The store's file (default: what --config says, or that in Caddy's data directory)")
	cmd.Flags().String("seal-key", "", "File that holds the sealing key, or several, one a line (default: what --config says, or the key beside the store)")
	return cmd
}

// offlineStore is a store that is looked after while no Caddy has it open.
type offlineStore struct {
	file string
	// keys are empty where no key was found; noKey says where it was looked for.
	keys  []tokenstore.SealKey
	noKey string
}

// offline finds store and keys: by flags, else in the configuration named by
// --config or the Caddyfile in this directory, else where the defaults are.
func (c *console) offline() (*offlineStore, error) {
	app, err := c.configured()
	if err != nil {
		return nil, err
	}
	s := &offlineStore{file: c.flag("file")}
	if s.file == "" {
		if s.file, err = storeFile(app.StoreRaw); err != nil {
			return nil, err
		}
	}
	if name := c.flag("seal-key"); name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, refuse("reading the sealing key: %s", err)
		}
		if s.keys, err = tokenstore.ParseSealKeys(string(text)); err != nil {
			return nil, refuse("the sealing key in %s: %s", name, err)
		}
		return s, nil
	}
	if len(app.SealKeys) > 0 {
		if err := app.resolveSealKeys(); err != nil {
			return nil, refuse("%s", err)
		}
		s.keys = app.sealKeys
		return s, nil
	}
	beside := keyFileOf(s.file)
	text, err := os.ReadFile(beside)
	if errors.Is(err, fs.ErrNotExist) {
		s.noKey = beside
		return s, nil
	}
	if err != nil {
		return nil, refuse("reading the sealing key: %s", err)
	}
	if s.keys, err = tokenstore.ParseSealKeys(string(text)); err != nil {
		return nil, refuse("the sealing key in %s: %s", beside, err)
	}
	return s, nil
}

// configured reads the part of the configuration that says where store and keys
// are. Nothing of it is provisioned.
func (c *console) configured() (*App, error) {
	app := new(App)
	if c.flag("file") != "" && c.flag("config") == "" {
		return app, nil
	}
	text, _, _, err := caddycmd.LoadConfig(c.flag("config"), c.flag("adapter"))
	if err != nil {
		return nil, refuse("reading the configuration: %s", err)
	}
	var config struct {
		Apps struct {
			OAuth2 *App `json:"oauth2"`
		} `json:"apps"`
	}
	config.Apps.OAuth2 = app
	if len(text) == 0 {
		return app, nil
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, refuse("reading the configuration: %s", err)
	}
	if config.Apps.OAuth2 == nil {
		return app, nil
	}
	return config.Apps.OAuth2, nil
}

// storeFile is where the configured store is.
func storeFile(raw json.RawMessage) (string, error) {
	var which struct {
		Module string `json:"module"`
	}
	store := new(BoltStore)
	if len(raw) > 0 {
		if err := errors.Join(json.Unmarshal(raw, &which), json.Unmarshal(raw, store)); err != nil {
			return "", refuse("the configuration's store: %s", err)
		}
		if which.Module != DefaultStore {
			return "", refuse("the configuration's store is %q, which is no file of this machine: look after it with its own tools", which.Module)
		}
	}
	if err := store.Provision(caddy.Context{}); err != nil {
		return "", refuse("%s", err)
	}
	return store.path, nil
}

// needKeys refuses to go on without a sealing key.
func (s *offlineStore) needKeys() error {
	if len(s.keys) > 0 {
		return nil
	}
	return refuse("there is no sealing key: none in the configuration, and no %s. Name its file with --seal-key", s.noKey)
}

// offlineError gives errors of the rooms below their exit code.
func offlineError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tokenstore.ErrLocked):
		return refuse("%s. Stop Caddy first: while it runs, the store is its own", err)
	case errors.Is(err, tokenstore.ErrDamaged):
		return &failure{exitDamaged, err.Error()}
	case errors.Is(err, fs.ErrNotExist):
		return &failure{exitNotFound, err.Error()}
	case errors.Is(err, tokenstore.ErrFull), errors.Is(err, tokenstore.ErrUnavailable), errors.Is(err, tokenstore.ErrUnknown):
		return &failure{exitTrouble, err.Error()}
	}
	return refuse("%s", err)
}

// storeView is what a store's file is, as commands show it.
type storeView struct {
	File      string    `json:"file"`
	Store     string    `json:"store"` // its id
	Created   time.Time `json:"created"`
	FileBytes int64     `json:"file_bytes"`
	FreeBytes int64     `json:"free_bytes"`
	Revision  uint64    `json:"revision"`
	// SealKeys are the fingerprints of the keys that it takes to open the store.
	SealKeys []string `json:"seal_keys"`
	// Clock is the latest time that the store has seen; absent without the key.
	Clock   *time.Time       `json:"clock,omitempty"`
	Records map[string]int64 `json:"records"`
	// Authentic says whether the MACs were checked.
	Authentic bool     `json:"authentic"`
	Faults    int64    `json:"faults"`
	Findings  []string `json:"findings,omitempty"`
}

// examine reads a whole file and shows how far it is. The error is a failure;
// what is wrong with records is none, but stands in the view.
func (c *console) examine(file string, keys []tokenstore.SealKey) (storeView, error) {
	view := storeView{File: file}
	s, err := bolt.OpenReadOnly(c.ctx, file)
	if err != nil {
		return view, offlineError(err)
	}
	defer s.Close()
	stats := s.Stats()
	bar := c.progress("checking", "records")
	defer bar.end()
	found, err := tokenstore.Check(c.ctx, s, keys, func(done int64) { bar.at(done, stats.Keys) })
	if err != nil {
		return view, offlineError(err)
	}
	view.FileBytes, view.FreeBytes, view.Revision = stats.FileBytes, stats.FreeBytes, uint64(s.Revision())
	view.show(found)
	return view, nil
}

// show takes over what a check found.
func (v *storeView) show(found tokenstore.Checked) {
	v.Store, v.Created, v.Clock = hexID(found.ID), found.Created, moment(found.Clock)
	v.SealKeys, v.Records = []string{}, byKind(found.Records)
	for _, id := range found.SealKeys {
		v.SealKeys = append(v.SealKeys, id.String())
	}
	v.Authentic, v.Faults, v.Findings = found.Authentic, found.Faults, found.Findings
}

// byKind names the kinds of records.
func byKind(records map[tokenstore.Kind]int64) map[string]int64 {
	named := map[string]int64{}
	for kind, n := range records {
		named[kind.String()] += n
	}
	return named
}
