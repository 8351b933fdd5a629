// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Headers of a backup. The digest is a trailer: it is known at the end, and only
// an answer that has it is whole.
const (
	backupSizeHeader   = "Oauth2-Backup-Size" // in bytes, about
	backupDigestHeader = "Oauth2-Backup-Sha256"
)

// backupStream is an answer that is written while the store is read.
type backupStream struct {
	r    *adminRequest
	db   *tokenstore.DB
	sent int64
	sum  io.Writer
	w    http.ResponseWriter
}

// postBackup answers with a consistent copy of the store, while it is in use. It
// is no GET: who may read the configuration remotely may not therefore have this.
func postBackup(r *adminRequest) (any, error) {
	var order struct{}
	if err := r.read(&order); err != nil {
		return nil, err
	}
	if err := r.onThisMachine(); err != nil {
		return nil, err
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	b := &backupStream{r: r, db: db}
	b.enter()
	return b, nil
}

// enter puts the backup into the audit ring before the first byte of it: so the copy
// itself tells of it, and so does the store when somebody takes nearly all and hangs up.
func (b *backupStream) enter() {
	change := b.db.NewChange()
	change.Audit(tokenstore.AuditEntry{Type: string(authz.EventStoreBackedUp), Outcome: string(authz.Allowed), Actor: actorAdmin})
	if _, err := b.db.Commit(b.r.Context(), change); err != nil {
		// No refusal: a disk that takes no entry is a reason for a backup.
		storeLogger().Warn("a backup is not in the audit ring", "error", err)
	}
}

// ended tells the audit log and the counters how it ended.
func (b *backupStream) ended(outcome authz.Outcome) {
	b.r.app.recorder.Record(b.r.Context(), authz.Event{Type: authz.EventStoreBackedUp, Outcome: outcome, Actor: actorAdmin})
}

// send writes the copy. One that fails half-way must not look whole: the
// connection is cut.
func (b *backupStream) send(w http.ResponseWriter) error {
	head := w.Header()
	head.Set("Content-Type", "application/octet-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("Trailer", backupDigestHeader)
	head.Set(backupSizeHeader, strconv.FormatInt(b.db.Stats().Engine.FileBytes, 10))
	sum := sha256.New()
	b.w, b.sum = w, sum
	err := b.db.Snapshot(b.r.Context(), b)
	if err != nil {
		b.ended(authz.Failed)
	}
	switch {
	case err != nil && b.sent == 0:
		head.Del("Trailer")
		return adminError(err)
	case err != nil:
		storeLogger().Error("a backup ended early", "error", err)
		panic(http.ErrAbortHandler)
	}
	head.Set(backupDigestHeader, hex.EncodeToString(sum.Sum(nil)))
	b.ended(authz.Allowed)
	return nil
}

// Write implements [io.Writer] for the copy.
func (b *backupStream) Write(p []byte) (int, error) {
	b.sum.Write(p)
	n, err := b.w.Write(p)
	b.sent += int64(n)
	return n, err
}
