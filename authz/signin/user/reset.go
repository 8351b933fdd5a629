// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// How long a link for a new password counts.
const (
	DefaultResetLifetime = time.Hour
	MinResetLifetime     = time.Minute
	MaxResetLifetime     = 7 * 24 * time.Hour
)

// ErrTicket: a link for a new password that does not count, or no longer.
var ErrTicket = errors.New("user: the link has expired or was used")

// reset is a ticket that lets whoever has it choose a user's password, once.
type reset struct {
	Subject string `cbor:"1,keyasint"`
	// PasswordAt is when the password was set that it replaces, in milliseconds since
	// 1970: once there is another one, nobody needs it.
	PasswordAt int64 `cbor:"2,keyasint,omitempty"`
}

// resetKey is where a ticket is kept. Digests of tickets of other rooms are shorter, so
// that none of those passes for one.
func resetKey(ticket string) tokenstore.Key {
	digest := token.Digest(ticket)
	return tokenstore.NewKey("", tokenstore.KindTicket, "password/"+string(digest[:]))
}

// NewReset makes a ticket with which the user chooses another password. It counts once,
// for lifetime ([DefaultResetLifetime] for 0), and no longer than sessions of the user
// would: another password, or disabling the user, ends it. Errors: [ErrNotFound],
// [ErrElsewhere], what is wrong with lifetime, or trouble.
func (d *Directory) NewReset(ctx context.Context, actor, subject string, lifetime time.Duration) (ticket string, expires time.Time, err error) {
	if lifetime == 0 {
		lifetime = DefaultResetLifetime
	}
	if lifetime < MinResetLifetime || lifetime > MaxResetLifetime {
		return "", expires, fmt.Errorf("a link counts for %v to %v", MinResetLifetime, MaxResetLifetime)
	}
	u, anchor, err := d.Known(ctx, subject)
	if err != nil {
		return "", expires, err
	}
	if !u.Local() {
		return "", expires, ErrElsewhere
	}
	_, db, err := d.open(ctx)
	if err != nil {
		return "", expires, err
	}
	ticket, expires = token.New(token.Ticket), db.Now().Add(lifetime)
	change := db.NewChange()
	change.Create(resetKey(ticket), reset{subject, u.PasswordAt.UnixMilli()}, expires, anchor)
	change.Audit(auditEntry(authz.EventResetLinkMade, subject, actor))
	if _, err := db.Commit(ctx, change); err != nil {
		return "", expires, err
	}
	d.record(ctx, authz.EventResetLinkMade, subject, actor)
	return ticket, expires, nil
}

// ResetUser returns the user whose password a ticket changes, and spends nothing:
// programs that look at mail follow links too. Errors: [ErrTicket], or trouble.
func (d *Directory) ResetUser(ctx context.Context, ticket string) (*User, error) {
	rec, _, err := d.resetting(ctx, ticket)
	if err != nil {
		return nil, err
	}
	return &rec.Value, nil
}

// Redeem spends a ticket, and gives its user a password. All sessions and tokens of
// the user end. Of several who come with the same ticket, one succeeds. Errors:
// [ErrTicket], what derives from [ErrPassword], which spends nothing, or trouble.
func (d *Directory) Redeem(ctx context.Context, ticket, password string) (*User, error) {
	if err := ValidatePassword(password); err != nil {
		return nil, err
	}
	rec, spent, err := d.resetting(ctx, ticket)
	if err != nil {
		return nil, err
	}
	d, db, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	hash, err := d.hashing.of(ctx, password)
	if err != nil {
		return nil, err
	}
	u, change := rec.Value, db.NewChange()
	if err := u.setPassword(change, db.Now(), hash, NewPassword{}); err != nil {
		return nil, err
	}
	change.DeleteAt(spent.Key, spent.Revision)
	change.Replace(rec.Key, rec.Revision, &u, time.Time{})
	change.Audit(auditEntry(authz.EventPasswordChanged, u.Subject, actorSelf))
	_, err = db.Commit(ctx, change)
	if errors.Is(err, tokenstore.ErrConflict) {
		// Somebody else spent it, or the user was changed: then another try tells.
		if _, _, again := d.resetting(ctx, ticket); again != nil {
			err = again
		}
	}
	if err != nil {
		return nil, err
	}
	d.record(ctx, authz.EventPasswordChanged, u.Subject, actorSelf)
	return &u, nil
}

// resetting returns the user of a ticket, and the generation of the ticket.
func (d *Directory) resetting(ctx context.Context, ticket string) (*tokenstore.Record[User], tokenstore.Generation, error) {
	var none tokenstore.Generation
	if kind, ok := token.Check(ticket); !ok || kind != token.Ticket {
		return nil, none, ErrTicket
	}
	_, db, err := d.open(ctx)
	if err != nil {
		return nil, none, err
	}
	spent, err := tokenstore.Load[reset](ctx, db, resetKey(ticket))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, none, ErrTicket
	}
	if err != nil {
		return nil, none, notFound(err)
	}
	rec, err := bySubject(ctx, db, spent.Value.Subject)
	if errors.Is(err, ErrNotFound) || err == nil && (rec.Value.Disabled || !rec.Value.Local() || rec.Value.PasswordAt.UnixMilli() != spent.Value.PasswordAt) {
		return nil, none, ErrTicket
	}
	if err != nil {
		return nil, none, err
	}
	return rec, tokenstore.Generation{Key: spent.Key, Revision: spent.Revision}, nil
}
