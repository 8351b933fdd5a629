// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// loadGuests loads the modules that the app hosts, the default where the
// configuration names none.
func (a *App) loadGuests() error {
	if err := a.loadStore(); err != nil {
		return err
	}
	if err := a.loadFormat(); err != nil {
		return err
	}
	return a.loadGrantTypes()
}

func (a *App) loadStore() error {
	var guest any
	var err error
	if a.StoreRaw == nil {
		guest, err = a.ctx.LoadModuleByID(StoreNamespace+"."+DefaultStore, nil)
	} else {
		guest, err = a.ctx.LoadModule(a, "StoreRaw")
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	var ok bool
	if a.engine, ok = guest.(tokenstore.Engine); !ok {
		return fmt.Errorf("store: %T is no engine of a token store", guest)
	}
	return nil
}

func (a *App) loadFormat() error {
	var guest any
	var err error
	if a.AccessToken.FormatRaw == nil {
		guest, err = a.ctx.LoadModuleByID(FormatNamespace+"."+DefaultFormat, nil)
	} else {
		guest, err = a.ctx.LoadModule(&a.AccessToken, "FormatRaw")
	}
	if err != nil {
		return fmt.Errorf("format of access tokens: %w", err)
	}
	return a.bindFormats(guest)
}

// bindFormats takes the format that is configured, and loads every other one
// there is with its defaults: clients may have one of their own, and tokens made
// before a change of format stay valid.
func (a *App) bindFormats(configured any) error {
	a.formats = map[string]token.Format{}
	a.verifier = &token.Verifier{Issuer: a.Issuer, Store: a.store}
	own := configured.(caddy.Module).CaddyModule().ID
	for _, info := range caddy.GetModules(FormatNamespace) {
		guest, name := configured, info.ID.Name()
		if info.ID != own {
			var err error
			if guest, err = a.ctx.LoadModuleByID(string(info.ID), nil); err != nil {
				return fmt.Errorf("token format %s: %w", name, err)
			}
		}
		format, ok := guest.(token.Format)
		if !ok {
			return fmt.Errorf("token format %s: %T is no token format", name, guest)
		}
		if keyed, ok := format.(token.Keyed); ok {
			keyed.Bind(a.Issuer, a.signingKeys)
		}
		if a.formats[name] = format; info.ID == own {
			a.format = format
		}
	}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(a.formats))) {
		a.verifier.Formats = append(a.verifier.Formats, a.formats[name]) // opaque before jwt: it is told apart at less cost
	}
	return nil
}

// loadGrantTypes loads every grant type there is, with the settings that the
// configuration has for it.
func (a *App) loadGrantTypes() error {
	a.grantTypes = map[string]granttype.GrantType{}
	configured := a.GrantTypesRaw
	for _, info := range caddy.GetModules(GrantTypeNamespace) {
		guest, err := a.ctx.LoadModuleByID(string(info.ID), configured[info.ID.Name()])
		if err != nil {
			return fmt.Errorf("grant type %s: %w", info.ID.Name(), err)
		}
		grantType, ok := guest.(granttype.GrantType)
		if !ok {
			return fmt.Errorf("grant type %s: %T is no grant type", info.ID.Name(), guest)
		}
		a.grantTypes[info.ID.Name()] = grantType
	}
	for name := range configured {
		if a.grantTypes[name] == nil {
			return fmt.Errorf("grant type %s is not part of this Caddy; there are %s", name, strings.Join(slices.Sorted(maps.Keys(a.grantTypes)), ", "))
		}
	}
	return nil
}
