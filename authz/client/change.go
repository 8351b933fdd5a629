// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// ErrExists: the store has a client of that id already.
var ErrExists = errors.New("client: a client of this id exists already")

// List returns up to limit clients of the store from cursor on, disabled ones
// included, and the cursor of the rest ("" at the end). It scans: it is for
// administration only.
func List(ctx context.Context, db *tokenstore.DB, cursor tokenstore.Cursor, limit int) ([]*Client, tokenstore.Cursor, error) {
	records, next, err := tokenstore.List[Client](ctx, db, "", tokenstore.KindClient, cursor, limit)
	clients := make([]*Client, len(records))
	for i, r := range records {
		clients[i] = &r.Value
	}
	return clients, next, err
}

// Get returns a client of the store, also a disabled one, or [ErrNotFound]. The
// caller may change what it gets.
func Get(ctx context.Context, db *tokenstore.DB, id string) (*Client, error) {
	rec, err := load(ctx, db, id)
	if err != nil {
		return nil, err
	}
	return &rec.Value, nil
}

// Add puts a new client into the store. A confidential one gets the given
// secret, or with "" one that is made here; raw is that secret, to be shown
// once. actor is who does it, for the audit log. Errors: [ErrExists], what
// [Client.Validate] finds, or trouble of the store.
func Add(ctx context.Context, db *tokenstore.DB, actor string, c Client, secret string) (raw string, err error) {
	c.Secrets = nil
	if c.Confidential() {
		var s Secret
		if raw, s, err = newSecret(secret); err != nil {
			return "", err
		}
		c.Secrets = []Secret{s}
	} else if secret != "" {
		return "", errors.New("auth_method none excludes a secret")
	}
	normalize(&c)
	if err := c.Validate(); err != nil {
		return "", err
	}
	change := db.NewChange()
	change.Create(tokenstore.ClientKey(c.ID), &c, time.Time{})
	// Whatever an earlier client of this id left behind ends here.
	change.Revoke(tokenstore.ClientAnchorKey(c.ID))
	change.Audit(auditEntry(authz.EventClientAdded, c.ID, actor))
	_, err = db.Commit(ctx, change)
	if errors.Is(err, tokenstore.ErrConflict) {
		return "", ErrExists
	}
	if err != nil {
		return "", err
	}
	return raw, nil
}

// Edit changes the metadata of a stored client: edit gets a copy and changes it.
// Id and secrets stay as they are. No token is revoked; scopes taken away and
// disabling count at once, because both are asked for at every use. Errors:
// [ErrNotFound], edit's own, what [Client.Validate] finds,
// [tokenstore.ErrConflict] when somebody else edited meanwhile, or trouble of
// the store.
func Edit(ctx context.Context, db *tokenstore.DB, actor, id string, edit func(*Client) error) (*Client, error) {
	rec, err := load(ctx, db, id)
	if err != nil {
		return nil, err
	}
	c := rec.Value
	if err := edit(&c); err != nil {
		return nil, err
	}
	c.ID, c.Secrets = id, rec.Value.Secrets
	normalize(&c)
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &c, replace(ctx, db, rec, &c, authz.EventClientEdited, actor)
}

// RotateSecret gives a stored confidential client a new secret: the given one,
// or with "" one that is made here. raw is that secret. The newest secret so
// far counts for overlap longer, 0 ends it at once; older ones end in any case.
// Tokens live on. Errors as of [Edit].
func RotateSecret(ctx context.Context, db *tokenstore.DB, actor, id, secret string, overlap time.Duration) (raw string, err error) {
	rec, err := load(ctx, db, id)
	if err != nil {
		return "", err
	}
	c := rec.Value
	if !c.Confidential() {
		return "", errors.New("a client of auth_method none has no secret")
	}
	if overlap < 0 || overlap > MaxLifetime {
		return "", fmt.Errorf("the overlap is between 0 and %v", MaxLifetime)
	}
	raw, s, err := newSecret(secret)
	if err != nil {
		return "", err
	}
	secrets := []Secret{s}
	if now := db.Now(); overlap > 0 && len(c.Secrets) > 0 && c.Secrets[0].live(now) {
		old := c.Secrets[0]
		old.NotAfter = now.Add(overlap)
		secrets = append(secrets, old)
	}
	c.Secrets = secrets
	if err := replace(ctx, db, rec, &c, authz.EventClientSecretRotated, actor); err != nil {
		return "", err
	}
	return raw, nil
}

// Remove deletes a client from the store and ends all its grants and tokens.
// Errors: [ErrNotFound], [tokenstore.ErrConflict], or trouble of the store.
func Remove(ctx context.Context, db *tokenstore.DB, actor, id string) error {
	rec, err := load(ctx, db, id)
	if err != nil {
		return err
	}
	change := db.NewChange()
	change.DeleteAt(rec.Key, rec.Revision)
	change.Delete(tokenstore.ClientAnchorKey(id)) // a missing anchor refuses
	change.Audit(auditEntry(authz.EventClientRemoved, id, actor))
	_, err = db.Commit(ctx, change)
	return err
}

// Revoke ends all grants and tokens that a client has, wherever it is
// configured. The client itself stays and may ask for new ones.
func Revoke(ctx context.Context, db *tokenstore.DB, actor, id string) error {
	if err := ValidateID(id); err != nil {
		return err
	}
	change := db.NewChange()
	change.Revoke(tokenstore.ClientAnchorKey(id))
	change.Audit(auditEntry(authz.EventClientRevoked, id, actor))
	_, err := db.Commit(ctx, change)
	return err
}

func load(ctx context.Context, db *tokenstore.DB, id string) (*tokenstore.Record[Client], error) {
	if ValidateID(id) != nil {
		return nil, ErrNotFound
	}
	rec, err := tokenstore.Load[Client](ctx, db, tokenstore.ClientKey(id))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, ErrNotFound
	}
	return rec, err
}

func replace(ctx context.Context, db *tokenstore.DB, rec *tokenstore.Record[Client], c *Client, event authz.EventType, actor string) error {
	change := db.NewChange()
	change.Replace(rec.Key, rec.Revision, c, time.Time{})
	change.Audit(auditEntry(event, c.ID, actor))
	_, err := db.Commit(ctx, change)
	return err
}

// newSecret returns the given secret, or a fresh one, and what is kept of it.
func newSecret(given string) (raw string, s Secret, err error) {
	if raw = given; raw == "" {
		raw = token.New(token.ClientSecret)
	}
	s.Digest, err = DigestSecret(raw, false)
	return raw, s, err
}

// normalize brings c into the form that is stored: sets are sorted.
func normalize(c *Client) {
	c.Scopes, c.DefaultScopes = scope.Of(c.Scopes...), scope.Of(c.DefaultScopes...)
}

func auditEntry(event authz.EventType, id, actor string) tokenstore.AuditEntry {
	return tokenstore.AuditEntry{Type: string(event), Outcome: string(authz.Allowed), Client: id, Actor: actor}
}
