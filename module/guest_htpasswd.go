// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
)

func init() {
	caddy.RegisterModule(new(Htpasswd))
}

// Htpasswd takes the users of a file of htpasswd, a line NAME:HASH for each, with
// hashes of bcrypt (`htpasswd -B`) or argon2id. Others can be searched too cheaply, and
// are an error when the configuration is loaded. A change of the file is noticed within a
// second: an entry that is gone is refused at once, also by guards, and a line that does
// not count is named in the log.
type Htpasswd struct {
	// The file, of at most 16 MiB. Required.
	File string `json:"file,omitempty"`

	user.Htpasswd `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Htpasswd) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: UsersNamespace + ".htpasswd", New: func() caddy.Module { return new(Htpasswd) }}
}

// Provision reads the file.
func (h *Htpasswd) Provision(ctx caddy.Context) error {
	if err := h.Validate(); err != nil {
		return err
	}
	h.Path, h.Log = h.File, ctx.Slogger()
	return h.Load()
}

// Validate checks the settings.
func (h *Htpasswd) Validate() error {
	if h.File == "" {
		return errors.New("htpasswd: file is missing")
	}
	return nil
}

// UnmarshalCaddyfile reads
//
//	htpasswd <file>
func (h *Htpasswd) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&h.File) {
		return d.Err("htpasswd takes the path of its file")
	}
	if d.NextBlock(d.Nesting()) {
		return d.Err("htpasswd takes no block")
	}
	if err := h.Validate(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Htpasswd)(nil)
	_ caddy.Validator       = (*Htpasswd)(nil)
	_ caddyfile.Unmarshaler = (*Htpasswd)(nil)
	_ user.Roster           = (*Htpasswd)(nil)
)
