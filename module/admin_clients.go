// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// defaultOverlap is how long a client's old secret still holds after a rotation.
const defaultOverlap = 24 * time.Hour

// getClients lists the clients of the configuration, on the first page, and
// after them those of the store.
func getClients(r *adminRequest) (any, error) {
	cursor, limit, err := r.page()
	if err != nil {
		return nil, err
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	list := clientList{Clients: []clientView{}}
	if cursor == "" {
		for _, c := range r.app.registry.ConfiguredClients() {
			list.Clients = append(list.Clients, viewClient(c, fromCaddyfile, db.Now()))
		}
		slices.SortFunc(list.Clients, func(a, b clientView) int { return strings.Compare(a.ID, b.ID) })
	}
	from, err := cursorIn(cursor, tokenstore.KindClient)
	if err != nil {
		return nil, err
	}
	stored, next, err := client.List(r.Context(), db, from, limit)
	if err != nil {
		return nil, err
	}
	for _, c := range stored {
		view := viewClient(c, fromStore, db.Now())
		view.Hidden = r.app.registry.Configured(c.ID)
		list.Clients = append(list.Clients, view)
	}
	list.Cursor = cursorOut(next)
	for i := range list.Clients {
		if err := r.addUsage(&list.Clients[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// addUsage adds when a client was last used.
func (r *adminRequest) addUsage(view *clientView) error {
	at, err := r.app.runtime.usage.last(r.Context(), view.ID, "")
	view.LastUsed = moment(at)
	return err
}

// viewClient is what may be shown of a client.
func viewClient(c *client.Client, source clientSource, now time.Time) clientView {
	view := clientView{Client: *c, Source: source}
	view.AuthMethod = c.Method()
	for _, s := range c.Secrets {
		switch {
		case s.NotAfter.IsZero():
			view.Secrets = append(view.Secrets, secretView{})
		case now.Before(s.NotAfter):
			view.Secrets = append(view.Secrets, secretView{Until: moment(s.NotAfter)})
		}
	}
	return view
}

func getClient(r *adminRequest) (any, error) {
	id := r.PathValue("id")
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	for _, c := range r.app.registry.ConfiguredClients() {
		if c.ID == id {
			view := viewClient(c, fromCaddyfile, db.Now())
			return &view, r.addUsage(&view)
		}
	}
	c, err := client.Get(r.Context(), db, id)
	if err != nil {
		return nil, clientError(id, err)
	}
	view := viewClient(c, fromStore, db.Now())
	return &view, r.addUsage(&view)
}

func postClient(r *adminRequest) (any, error) {
	var order clientAddition
	if err := r.read(&order); err != nil {
		return nil, err
	}
	if order.Secret == "" && order.HasSecret() {
		if err := r.onThisMachine(); err != nil {
			return nil, err
		}
	}
	if r.app.registry.Configured(order.ID) {
		return nil, adminRefusal(http.StatusConflict, fmt.Sprintf("client %q is in the Caddyfile already: take another id, or edit the Caddyfile and reload", order.ID))
	}
	if err := r.app.checkChange(&client.Client{}, &order.Client); err != nil {
		return nil, clientError(order.ID, err)
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	raw, err := client.Add(r.Context(), db, actorAdmin, order.Client, string(order.Secret))
	if err != nil {
		return nil, clientError(order.ID, err)
	}
	r.record(authz.EventClientAdded, order.ID)
	return r.madeSecret(db, order.ID, order.Secret, raw)
}

// madeSecret answers what gave a client a secret: with that secret, unless it
// came with the request.
func (r *adminRequest) madeSecret(db *tokenstore.DB, id string, given secretText, raw string) (any, error) {
	if given != "" {
		raw = ""
	}
	c, err := client.Get(r.Context(), db, id)
	if err != nil {
		return nil, clientError(id, err)
	}
	return clientSecret{Client: viewClient(c, fromStore, db.Now()), Secret: secretText(raw)}, nil
}

func postClientEdit(r *adminRequest) (any, error) {
	id, db, err := r.storedClient()
	if err != nil {
		return nil, err
	}
	// What the body does not name stays as it is, because it is decoded over the
	// client's present metadata. Names of secrets are no fields of it.
	c, err := client.Edit(r.Context(), db, actorAdmin, id, func(c *client.Client) error {
		before := *c
		before.Scopes, before.GrantTypes = slices.Clone(c.Scopes), slices.Clone(c.GrantTypes)
		if err := r.read(c); err != nil {
			return err
		}
		if c.ID != id {
			return adminRefusal(http.StatusBadRequest, "a client's id cannot be changed: add a client of the new id and remove this one")
		}
		return r.app.checkChange(&before, c)
	})
	if err != nil {
		return nil, clientError(id, err)
	}
	r.record(authz.EventClientEdited, id)
	return viewClient(c, fromStore, db.Now()), nil
}

func postClientSecret(r *adminRequest) (any, error) {
	id, db, err := r.storedClient()
	if err != nil {
		return nil, err
	}
	var order secretRotation
	if err := r.read(&order); err != nil {
		return nil, err
	}
	if order.Secret == "" {
		if err := r.onThisMachine(); err != nil {
			return nil, err
		}
	}
	overlap := defaultOverlap
	if order.Overlap != nil {
		overlap = time.Duration(*order.Overlap)
	}
	raw, err := client.RotateSecret(r.Context(), db, actorAdmin, id, client.Rotation{
		Secret: string(order.Secret), Overlap: overlap, AuthMethod: order.AuthMethod,
	})
	if err != nil {
		return nil, clientError(id, err)
	}
	r.record(authz.EventClientSecretRotated, id)
	return r.madeSecret(db, id, order.Secret, raw)
}

func postClientRemove(r *adminRequest) (any, error) {
	id, db, err := r.storedClient()
	if err != nil {
		return nil, err
	}
	if err := r.read(&struct{}{}); err != nil {
		return nil, err
	}
	if err := client.Remove(r.Context(), db, actorAdmin, id); err != nil {
		return nil, clientError(id, err)
	}
	r.record(authz.EventClientRemoved, id)
	if err := r.app.runtime.usage.forget(r.Context(), id); err != nil {
		r.app.log.Warn("it stays known when a removed client was last used", zap.String("client", id), zap.Error(err))
	}
	return clientEnding{ID: id, Removed: true, Revoked: true}, nil
}

// postClientRevoke revokes all tokens of a client, wherever it is configured.
func postClientRevoke(r *adminRequest) (any, error) {
	id := r.PathValue("id")
	if err := r.read(&struct{}{}); err != nil {
		return nil, err
	}
	db, err := r.db()
	if err != nil {
		return nil, err
	}
	if !r.app.registry.Configured(id) {
		if _, err := client.Get(r.Context(), db, id); err != nil {
			return nil, clientError(id, err)
		}
	}
	if err := client.Revoke(r.Context(), db, actorAdmin, id); err != nil {
		return nil, err
	}
	r.record(authz.EventClientRevoked, id)
	return clientEnding{ID: id, Revoked: true}, nil
}

// checkChange checks that what a client is given exists here. What it had
// before may have gone from the configuration since: that must not hinder
// disabling it.
func (a *App) checkChange(before, after *client.Client) error {
	for _, word := range after.Scopes {
		if !before.Scopes.Has(word) && !a.declared(word) {
			return fmt.Errorf("scope %s is not declared: add `scope %s \"what it permits\"` to the block of oauth2 in the Caddyfile and reload", word, word)
		}
	}
	if before.AccessTokenFormat != after.AccessTokenFormat {
		if err := checkFormat(after.AccessTokenFormat); err != nil {
			return err
		}
	}
	for _, name := range after.GrantTypes {
		if !slices.Contains(before.GrantTypes, name) && a.grantTypes[name] == nil {
			return fmt.Errorf("grant type %s is not part of this Caddy; there are %s", name, strings.Join(slices.Sorted(maps.Keys(a.grantTypes)), ", "))
		}
	}
	if before.AccessTokenFormat != after.AccessTokenFormat || before.AccessTokenLifetime != after.AccessTokenLifetime ||
		!slices.Equal(before.GrantTypes, after.GrantTypes) {
		return a.validateClientKeys(after)
	}
	return nil
}

// storedClient is the client named by the path, when it can be changed here.
func (r *adminRequest) storedClient() (id string, _ *tokenstore.DB, _ error) {
	id = r.PathValue("id")
	if r.app.registry.Configured(id) {
		return "", nil, adminRefusal(http.StatusConflict, fmt.Sprintf("client %q is in the Caddyfile: edit it there and reload. "+
			"Its tokens can be revoked here: caddy oauth2 token revoke --client %s", id, id))
	}
	db, err := r.db()
	return id, db, err
}

// clientError gives errors of the client room their status. What is not trouble
// of the store is something wrong with the request.
func clientError(id string, err error) error {
	var ready caddy.APIError
	switch {
	case errors.As(err, &ready), isTrouble(err):
		return err
	case errors.Is(err, client.ErrNotFound):
		return adminRefusal(http.StatusNotFound, fmt.Sprintf("there is no client %q: see `caddy oauth2 client list`", id))
	case errors.Is(err, client.ErrExists):
		return adminRefusal(http.StatusConflict, fmt.Sprintf("there is a client %q already: edit it, or take another id", id))
	}
	return adminRefusal(http.StatusBadRequest, fmt.Sprintf("client %q: %s", id, strings.ReplaceAll(err.Error(), "\n", "; ")))
}
