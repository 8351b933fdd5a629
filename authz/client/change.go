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

// Add puts a new client into the store. One that has a secret gets the given
// one, or with "" one that is made here; raw is that secret, to be shown once.
// actor is who does it, for the audit log. Errors: [ErrExists], what
// [Client.Validate] finds, or trouble of the store.
func Add(ctx context.Context, db *tokenstore.DB, actor string, c Client, secret string) (raw string, err error) {
	c.Owner = ""
	raw, err = add(ctx, db, db.NewChange(), actor, c, secret)
	if errors.Is(err, tokenstore.ErrConflict) {
		return "", ErrExists
	}
	return raw, err
}

// add completes change by a new client, and commits it.
func add(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, actor string, c Client, secret string) (raw string, err error) {
	c.Secrets, c.Created = nil, db.Now().Truncate(time.Second)
	if c.HasSecret() {
		var s Secret
		if raw, s, err = newSecret(secret); err != nil {
			return "", err
		}
		c.Secrets = []Secret{s}
		if err := keepRecoverable(db, change, &c, raw); err != nil {
			return "", err
		}
	} else if secret != "" {
		return "", fmt.Errorf("auth_method %s excludes a secret", c.Method())
	}
	normalize(&c)
	if err := c.Validate(); err != nil {
		return "", err
	}
	change.Create(tokenstore.ClientKey(c.ID), &c, time.Time{})
	// Whatever an earlier client of this id left behind ends here.
	change.Revoke(tokenstore.ClientAnchorKey(c.ID))
	change.Audit(auditEntry(authz.EventClientAdded, c.ID, actor))
	if _, err = db.Commit(ctx, change); err != nil {
		return "", err
	}
	return raw, nil
}

// Edit changes the metadata of a stored client: edit gets a copy and changes it.
// Its id stays as it is, and so do its secrets. Another authentication method ends
// the secrets and keys that it has no use for. No token is revoked; scopes taken away and
// disabling count at once, because both are asked for at every use. Errors:
// [ErrNotFound], edit's own, what [Client.Validate] finds,
// [tokenstore.ErrConflict] when somebody else edited meanwhile, or trouble of
// the store.
func Edit(ctx context.Context, db *tokenstore.DB, actor, id string, edit func(*Client) error) (*Client, error) {
	rec, err := load(ctx, db, id)
	if err != nil {
		return nil, err
	}
	before := &rec.Value
	c := *before
	if err := edit(&c); err != nil {
		return nil, err
	}
	c.ID, c.Secrets, c.Owner, c.Created = id, before.Secrets, before.Owner, before.Created
	if before.Confidential() && !c.Confidential() {
		return nil, errors.New("a client that authenticates does not become one that does not: remove it, and add it anew with auth_method none")
	}
	if c.Method() != before.Method() {
		c.dropProofs()
	}
	if c.recoverable() && !before.recoverable() {
		return nil, fmt.Errorf("auth_method %s needs a secret that can be recovered, and of the present one only a digest is kept: "+
			"give the client a new one, with the new method (`rotate-secret --auth-method %[1]s`)", authz.AuthSecretJWT)
	}
	normalize(&c)
	if err := c.Validate(); err != nil {
		return nil, err
	}
	change := db.NewChange()
	if !c.recoverable() {
		forgetRecoverable(change, before, nil)
	}
	return &c, replace(ctx, db, change, rec, &c, authz.EventClientEdited, actor)
}

// Rotation is how a client gets a new secret.
type Rotation struct {
	// Secret is the new one; empty: one is made.
	Secret string
	// Overlap is for how long the newest secret so far still counts, 0 to
	// [MaxLifetime]; 0 ends it at once. Older ones end in any case.
	Overlap time.Duration
	// AuthMethod is how the client authenticates from now on, one that has a
	// secret. If that is another way than so far, secrets and keys so far end.
	// Empty: it stays as it is.
	AuthMethod string
	// Also, unless it is nil, adds to the change.
	Also func(*tokenstore.Change)
}

// RotateSecret gives a stored client a new secret, and returns that. Tokens live
// on. Errors as of [Edit].
func RotateSecret(ctx context.Context, db *tokenstore.DB, actor, id string, r Rotation) (raw string, err error) {
	rec, err := load(ctx, db, id)
	if err != nil {
		return "", err
	}
	before := &rec.Value
	c := *before
	if r.AuthMethod != "" && r.AuthMethod != before.Method() {
		c.AuthMethod = r.AuthMethod
		c.dropProofs()
	}
	switch {
	case !c.HasSecret():
		return "", fmt.Errorf("a client of auth_method %s has no secret", c.Method())
	case r.Overlap < 0 || r.Overlap > MaxLifetime:
		return "", fmt.Errorf("the overlap is between 0 and %v", MaxLifetime)
	}
	raw, s, err := newSecret(r.Secret)
	if err != nil {
		return "", err
	}
	c.Secrets = []Secret{s}
	if now := db.Now(); r.Overlap > 0 && c.Method() == before.Method() && len(before.Secrets) > 0 && before.Secrets[0].live(now) {
		old := before.Secrets[0]
		if old.Digest == s.Digest {
			return "", errors.New("the client has this secret already")
		}
		old.NotAfter = now.Add(r.Overlap)
		c.Secrets = append(c.Secrets, old)
	}
	if err := c.Validate(); err != nil {
		return "", err
	}
	change := db.NewChange()
	if r.Also != nil {
		r.Also(change)
	}
	forgetRecoverable(change, before, c.Secrets)
	if err := keepRecoverable(db, change, &c, raw); err != nil {
		return "", err
	}
	if err := replace(ctx, db, change, rec, &c, authz.EventClientSecretRotated, actor); err != nil {
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
	forgetRecoverable(change, &rec.Value, nil)
	if err := disown(ctx, db, change, &rec.Value); err != nil {
		return err
	}
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

// replace completes change by the client's new state, and commits it.
func replace(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change, rec *tokenstore.Record[Client], c *Client, event authz.EventType, actor string) error {
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

// dropProofs removes what c had to prove itself by another method than its
// present one.
func (c *Client) dropProofs() {
	if !c.HasSecret() {
		c.Secrets = nil
	}
	if c.Method() != authz.AuthPrivateKeyJWT {
		c.JWKS, c.JWKSURI = nil, ""
	}
	if ValidateSigningAlg(c.AuthSigningAlg, c.Method()) != nil {
		c.AuthSigningAlg = ""
	}
}

// normalize brings c into the form that is stored: sets are sorted.
func normalize(c *Client) {
	c.Scopes, c.DefaultScopes, c.OptionalScopes = scope.Of(c.Scopes...), scope.Of(c.DefaultScopes...), scope.Of(c.OptionalScopes...)
	if string(c.JWKS) == "null" {
		c.JWKS = nil
	}
}

func auditEntry(event authz.EventType, id, actor string) tokenstore.AuditEntry {
	return tokenstore.AuditEntry{Type: string(event), Outcome: string(authz.Allowed), Client: id, Actor: actor}
}
