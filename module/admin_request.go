// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// db waits for the store.
func (r *adminRequest) db() (*tokenstore.DB, error) { return r.app.store(r.Context()) }

// read decodes the body into order, by rule 3.
func (r *adminRequest) read(order any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(order)
	if err == nil {
		if _, err = d.Token(); err == nil {
			err = errors.New("there is something after the object")
		} else if err == io.EOF {
			return nil
		}
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return adminRefusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxAdminBody))
	}
	return adminRefusal(http.StatusBadRequest, "the body is not the JSON object that this resource takes: "+decodingFault(err))
}

// decodingFault says what is wrong with a body, without repeating a value of it:
// it may be a secret, and errors are logged.
func decodingFault(err error) string {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind):
		return fmt.Sprintf("%q cannot be a JSON %s", kind.Field, kind.Value)
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is no JSON from byte %d on", syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	}
	return err.Error()
}

// page reads the cursor and limit of a list.
func (r *adminRequest) page() (cursor string, limit int, err error) {
	query := r.URL.Query()
	limit = maxPage
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return "", 0, adminRefusal(http.StatusBadRequest, fmt.Sprintf("limit is a number from 1 to %d", maxPage))
		}
	}
	return query.Get("cursor"), limit, nil
}

// onThisMachine refuses to hand out a secret (rule 5). It goes by the address
// at which the request arrived, so that a wildcard address is judged by how it
// was reached; not knowing it refuses.
func (r *adminRequest) onThisMachine() error {
	switch a := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.UnixAddr:
		return nil
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return nil
		}
	}
	return adminRefusal(http.StatusForbidden, "secrets and tokens are handed out only where the admin endpoint is on this machine: "+
		"ask it at a loopback address or a unix socket, such as `admin unix//run/caddy/admin.sock`")
}

// record tells the audit log and the counters what was done here to a client.
// The store's own audit ring has it from the change itself.
func (r *adminRequest) record(kind authz.EventType, client string) {
	r.app.recorder.Record(r.Context(), authz.Event{Type: kind, Outcome: authz.Allowed, Client: client, Actor: actorAdmin})
}

// commit makes a change with its entry in the audit ring, then tells of it.
func (r *adminRequest) commit(db *tokenstore.DB, change *tokenstore.Change, done authz.Event) error {
	change.Audit(tokenstore.AuditEntry{
		Type: string(done.Type), Outcome: string(done.Outcome), GrantType: done.GrantType,
		Client: done.Client, Subject: done.Subject, Grant: done.Grant, Actor: done.Actor,
	})
	if _, err := db.Commit(r.Context(), change); err != nil {
		return err
	}
	r.app.recorder.Record(r.Context(), done)
	return nil
}

// cursorOut is a place in the store as a list shows it: printable, and without
// a meaning that anybody should rely on.
func cursorOut(place tokenstore.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(place))
}

// cursorIn is the reverse, for a list of records of a kind.
func cursorIn(text string, kind tokenstore.Kind) (tokenstore.Cursor, error) {
	if text == "" {
		return "", nil
	}
	place, err := base64.RawURLEncoding.DecodeString(text)
	if key := tokenstore.Key(place); err == nil && key.Realm() == "" && key.Kind() == kind {
		return key, nil
	}
	return "", adminRefusal(http.StatusBadRequest, "the cursor is not one of this list: leave it out to begin at the start")
}
