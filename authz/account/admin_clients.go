// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// showClients lists the clients of the configuration, on the first page, and after
// them those of the store.
func (v *visit) showClients() error {
	from := v.cursor(tokenstore.NewKey("", tokenstore.KindClient, ""))
	page := pages.AdminClients{}
	text := v.query(querySearch)
	if from == "" {
		configured := v.config.Clients.ConfiguredClients()
		slices.SortFunc(configured, func(a, b *client.Client) int { return strings.Compare(a.ID, b.ID) })
		for _, c := range configured {
			if err := v.listClient(&page, c, text); err != nil {
				return err
			}
		}
	}
	limit := pageSize
	if text != "" {
		limit = searched // by name there is no index
	}
	stored, next, err := client.List(v.r.Context(), v.db, from, limit)
	if err != nil {
		return err
	}
	for _, c := range stored {
		if v.config.Clients.Configured(c.ID) {
			continue // the one in the configuration hides it
		}
		if err := v.listClient(&page, c, text); err != nil {
			return err
		}
	}
	if page.Shell, err = v.shell(); err != nil {
		return err
	}
	page.Listing = v.listing(after(next))
	return v.render(http.StatusOK, page)
}

// listClient adds a client to the list if its id or name has the text.
func (v *visit) listClient(page *pages.AdminClients, c *client.Client, text string) error {
	if !contains(c.ID, text) && !contains(c.Name, text) {
		return nil
	}
	used, err := v.config.LastUsed(v.r.Context(), c.ID, "")
	if err != nil {
		return err
	}
	row := pages.AdminClientRow{
		ID: c.ID, Name: pages.Untrusted(c.DisplayName()), Configured: v.config.Clients.Configured(c.ID),
		Disabled: c.Disabled, Public: !c.Confidential(), Created: c.Created, LastUsed: used,
	}
	if row.Owner, err = v.owner(c); err != nil {
		return err
	}
	if !row.Configured {
		row.Edit = v.to(pathDeveloperClient, queryClient, c.ID)
	}
	page.Clients = append(page.Clients, row)
	return nil
}

func (v *visit) disableClient() error { return v.setDisabled(true) }
func (v *visit) enableClient() error  { return v.setDisabled(false) }

// setDisabled shuts a client out, or lets it in again.
func (v *visit) setDisabled(disabled bool) error {
	id := v.field(pages.FieldClient)
	if v.config.Clients.Configured(id) {
		return &refusal{http.StatusConflict, pages.Problem{Code: codeConflict, Message: pages.MessageConfigured}}
	}
	_, err := client.Edit(v.r.Context(), v.db, v.actor(), id, func(c *client.Client) error {
		c.Disabled = disabled
		return nil
	})
	if errors.Is(err, client.ErrNotFound) {
		return errNotHere
	}
	if err != nil {
		return err
	}
	v.note(v.r.Context(), authz.Event{Type: authz.EventClientEdited, Client: id, Actor: v.actor()})
	return v.done(v.self(), pages.MessageSaved)
}

// revokeClient ends all tokens of a client, wherever it is configured.
func (v *visit) revokeClient() error {
	id := v.field(pages.FieldClient)
	c, err := v.client(id)
	if c == nil {
		return orNotHere(err)
	}
	if err := client.Revoke(v.r.Context(), v.db, v.actor(), id); err != nil {
		return err
	}
	v.note(v.r.Context(), authz.Event{Type: authz.EventClientRevoked, Client: id, Actor: v.actor()})
	return v.done(v.self(), pages.MessageAccessRevoked)
}
