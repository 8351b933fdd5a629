// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// Session is one user's being signed in in one browser. Slices are read-only.
type Session struct {
	// ID names it; it is no secret.
	ID string
	// Subject is whose it is.
	Subject string
	// Created is when it began, AuthTime when the user last proved who they are,
	// LastSeen when it was last used, to within a few minutes.
	Created, AuthTime, LastSeen time.Time
	// Expires is when it ends if it is not used any more.
	Expires time.Time
	// ACR and AMR are how the user proved who they are (OpenID Connect Core §2).
	ACR string
	AMR []string
	// Agent is a few words about the browser, Address the network it was last seen
	// in (see [Network]), for its user to recognise it by. Either may be empty.
	Agent, Address string
	// Clients are the ids of the clients that it signed in. Only [Service.Sessions]
	// fills it in.
	Clients []string

	methods  factor.Methods
	end      time.Time // whatever its use
	revision tokenstore.Revision
	anchors  []tokenstore.Generation
}

// Anchors are the generations of the store, the user and the session on which the
// session depends.
func (s *Session) Anchors() []tokenstore.Generation { return s.anchors }

// sessionRecord is what the store keeps of a session under its subject and id, and,
// under subject, id and a client's id, of each client that it signed in. The numbers
// are on disk. Times are in milliseconds since 1970, for they are compared.
type sessionRecord struct {
	Created  int64          `cbor:"1,keyasint,omitempty"`
	AuthTime int64          `cbor:"2,keyasint,omitempty"`
	LastSeen int64          `cbor:"3,keyasint,omitempty"`
	End      int64          `cbor:"4,keyasint,omitempty"`
	Methods  factor.Methods `cbor:"5,keyasint,omitempty"`
	Agent    string         `cbor:"6,keyasint,omitempty"`
	Address  string         `cbor:"7,keyasint,omitempty"`
}

// sessionKey is where a session of subject is. Neither part has a NUL in it.
func sessionKey(subject, id string) tokenstore.Key {
	return tokenstore.NewKey("", tokenstore.KindSession, subject+"\x00"+id)
}

// signedInKey is where it stands that a session signed a client in. It is a record
// of its own, so that no two who write it come across one another.
func signedInKey(s *Session, client string) tokenstore.Key {
	return sessionKey(s.Subject, s.ID+"\x00"+client)
}

// splitSessionKey is the reverse of both.
func splitSessionKey(key tokenstore.Key) (subject, id, client string) {
	subject, rest, _ := strings.Cut(key.ID(), "\x00")
	id, client, _ = strings.Cut(rest, "\x00")
	return subject, id, client
}

// newSession returns a record as others see it.
func (s *Service) newSession(r *tokenstore.Record[sessionRecord]) *Session {
	subject, id, _ := splitSessionKey(r.Key)
	v := r.Value
	session := &Session{
		ID: id, Subject: subject,
		Created: time.UnixMilli(v.Created), AuthTime: time.UnixMilli(v.AuthTime), LastSeen: time.UnixMilli(v.LastSeen),
		ACR: v.Methods.ACR(), AMR: v.Methods.AMR(), Agent: v.Agent, Address: v.Address,
		methods: v.Methods, end: time.UnixMilli(v.End), revision: r.Revision, anchors: r.Anchors,
	}
	session.Expires = s.expires(session)
	return session
}

// expires is when a session ends that is not used any more. By what is configured now:
// the record itself lives to the end, because until then something may depend on it
// that has to be ended with it.
func (s *Service) expires(session *Session) time.Time {
	expires := session.end
	for _, t := range []time.Time{session.LastSeen.Add(s.config.Idle), session.Created.Add(s.config.Absolute)} {
		if t.Before(expires) {
			expires = t
		}
	}
	return expires
}

// record is the session as the store keeps it.
func (s *Session) record() sessionRecord {
	return sessionRecord{
		Created: s.Created.UnixMilli(), AuthTime: s.AuthTime.UnixMilli(), LastSeen: s.LastSeen.UnixMilli(), End: s.end.UnixMilli(),
		Methods: s.methods, Agent: s.Agent, Address: s.Address,
	}
}

// millis keeps the zero time what it is.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// session returns a session that is still good: neither ended, nor left alone for
// too long, by what is configured now.
func (s *Service) session(ctx context.Context, db *tokenstore.DB, subject, id string) (*Session, error) {
	r, err := tokenstore.Cached[sessionRecord](ctx, db, sessionKey(subject, id))
	if err != nil {
		return nil, err
	}
	session := s.newSession(r)
	if !db.Now().Before(session.Expires) {
		return nil, tokenstore.ErrNotFound
	}
	return session, nil
}

// seen notes that a session is in use, every few minutes at most. That it could
// not be noted ends no session: another request has done it, or the store has
// trouble.
func (s *Service) seen(ctx context.Context, db *tokenstore.DB, session *Session, address string) {
	now := db.Now()
	if now.Sub(session.LastSeen) < min(seenEvery, s.config.Idle/8) {
		return
	}
	noted := *session
	noted.LastSeen, noted.Address = now, address
	noted.Expires = s.expires(&noted)
	change := db.NewChange()
	change.Replace(sessionKey(session.Subject, session.ID), session.revision, noted.record(), session.end, session.anchors...)
	if revision, err := db.Commit(ctx, change); err == nil {
		noted.revision = revision
		*session = noted
	}
}

// SignedInto makes change note that a session signs a client in, for the day on
// which it ends and the client wants to know. It depends on the session.
func (s *Service) SignedInto(change *tokenstore.Change, session *Session, client string) {
	change.Put(signedInKey(session, client), sessionRecord{}, session.end, session.anchors...)
}

// Sessions lists the sessions of a user that are still good, the one last used
// first.
func (s *Service) Sessions(ctx context.Context, subject string) ([]*Session, error) {
	db, err := s.config.Store(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.sessions(ctx, db, subject)
	if err != nil {
		return nil, err
	}
	now := db.Now()
	all = slices.DeleteFunc(all, func(s *Session) bool { return !now.Before(s.Expires) })
	slices.SortStableFunc(all, func(a, b *Session) int { return b.LastSeen.Compare(a.LastSeen) })
	return all, nil
}
