// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/keyring"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// vaultOptions say which store, and for whom its tokens are.
type vaultOptions struct {
	Path    string // the store's file, made where there is none
	SealKey string
	Issuer  string
}

// vault mints tokens straight into a store, as the token endpoint does for
// client_credentials but without HTTP.
type vault struct {
	db      *tokenstore.DB
	engine  *bolt.Store
	issuer  string
	minter  token.Minter
	anchors []tokenstore.Generation
}

// openVault opens the store. wrap, if it is not nil, stands between the
// semantics and the engine.
func openVault(ctx context.Context, o vaultOptions, wrap func(tokenstore.Store) tokenstore.Store) (*vault, error) {
	key, err := tokenstore.ParseSealKey(o.SealKey)
	if err != nil {
		return nil, err
	}
	engine, err := bolt.Open(ctx, o.Path, bolt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	var store tokenstore.Store = engine
	if wrap != nil {
		store = wrap(engine)
	}
	db, err := tokenstore.Open(ctx, store, tokenstore.Options{SealKeys: []tokenstore.SealKey{key}})
	if err != nil {
		return nil, err
	}
	v := &vault{db: db, engine: engine, issuer: o.Issuer, minter: token.Minter{Format: token.Opaque{}}}
	if v.anchors, err = v.noteAnchors(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return v, nil
}

// sign lets v mint signed tokens from now on, under keys that it makes in the store
// unless they are there.
func (v *vault) sign() {
	keys, format := keyring.New(v.db), new(token.JWT)
	format.Bind(v.issuer, func(context.Context) (*keyring.Keyring, error) { return keys, nil })
	v.minter.Format = format
}

// noteAnchors makes sure of the anchors of a machine's token and notes their
// generations.
func (v *vault) noteAnchors(ctx context.Context) ([]tokenstore.Generation, error) {
	var list []tokenstore.Generation
	for _, anchor := range []tokenstore.Key{v.db.StoreAnchor(), tokenstore.ClientAnchorKey(clientID)} {
		generation, err := v.db.EnsureAnchor(ctx, anchor)
		if err != nil {
			return nil, err
		}
		list = append(list, generation)
	}
	return list, nil
}

// mint issues tokens, each with its grant and its trace in the audit log, in one
// change, and returns their texts.
func (v *vault) mint(ctx context.Context, n int, lifetime time.Duration) ([]string, error) {
	change := v.db.NewChange()
	texts := make([]string, n)
	for i := range texts {
		scopes, audience := scope.Of(scopeHeld), []string{v.issuer}
		issued, err := v.minter.Mint(ctx, v.db, change, token.Order{
			Grant:    &token.Grant{Type: authz.GrantClientCredentials, Client: clientID, Scopes: scopes, Audience: audience},
			Facts:    token.Record{Client: clientID, Scopes: scopes, Audience: audience},
			Anchors:  v.anchors,
			Lifetime: lifetime,
		})
		if err != nil {
			return nil, fmt.Errorf("minting: %w", err)
		}
		texts[i] = issued.Access
		change.Audit(tokenstore.AuditEntry{
			Type: string(authz.EventTokenIssued), Outcome: string(authz.Allowed), GrantType: authz.GrantClientCredentials,
			Client: clientID, Grant: issued.Grant, Routine: true,
		})
	}
	if _, err := v.db.Commit(ctx, change); err != nil {
		return nil, fmt.Errorf("saving tokens: %w", err)
	}
	return texts, nil
}

func (v *vault) close() error { return v.db.Close() }
