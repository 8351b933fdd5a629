// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// named returns the client that the URL names, if the visitor may change it: its
// owner, or an administrator. For all others it does not exist (row U24). nil
// without an error: the visitor was sent to sign in as an administrator must.
func (v *visit) named() (*client.Client, error) {
	c, err := client.Get(v.r.Context(), v.db, v.query(queryClient))
	switch {
	case errors.Is(err, client.ErrNotFound):
		return nil, errNotHere
	case err != nil:
		return nil, err
	case v.config.Clients.Configured(c.ID):
		return nil, errNotHere // the one in the configuration hides it
	case c.Owner != "" && c.Owner == v.subject():
		return c, nil
	}
	if passes, err := v.administers(); !passes {
		return nil, err
	}
	return c, nil
}

// actor is who changes a client, for the audit log.
func (v *visit) actor() string { return v.subject() }

// showClient shows the form of a client.
func (v *visit) showClient() error {
	c, err := v.named()
	if c == nil {
		return err
	}
	return v.edit(http.StatusOK, c, v.newDraft(c))
}

// saveClient changes a client.
func (v *visit) saveClient() error {
	c, err := v.named()
	if c == nil {
		return err
	}
	d := v.newDraft(c)
	d.read(v)
	if faults := d.check(); len(faults) > 0 {
		return v.edit(http.StatusBadRequest, c, d, faults...)
	}
	_, err = client.Edit(v.r.Context(), v.db, v.actor(), c.ID, func(c *client.Client) error {
		d.apply(c)
		return nil
	})
	if fault, ok := v.clientFault(err); ok {
		return v.edit(fault.status, c, d, fault.Fault)
	}
	if err != nil {
		return err
	}
	v.note(v.r.Context(), authz.Event{Type: authz.EventClientEdited, Client: c.ID, Actor: v.actor()})
	return v.done(v.self(), pages.MessageSaved)
}

// rotateSecret gives a client a new secret and shows it. The old one holds for a
// while, so that it can be replaced without an interruption.
func (v *visit) rotateSecret() error {
	c, err := v.named()
	if c == nil {
		return err
	}
	if !c.HasSecret() {
		return errNotHere
	}
	raw, err := client.RotateSecret(v.r.Context(), v.db, v.actor(), c.ID, client.Rotation{Overlap: overlap, Also: v.once})
	if fault, ok := v.clientFault(err); ok {
		return v.edit(fault.status, c, v.newDraft(c), fault.Fault)
	}
	if err != nil {
		return err
	}
	v.note(v.r.Context(), authz.Event{Type: authz.EventClientSecretRotated, Client: c.ID, Actor: v.actor()})
	return v.showSecret(c, raw)
}

// askDelete leads to the page that asks once more.
func (v *visit) askDelete() error {
	c, err := v.named()
	if c == nil {
		return err
	}
	return v.redirect(v.to(pathDeveloperDelete, queryClient, c.ID))
}

// showDelete asks whether to delete a client.
func (v *visit) showDelete() error {
	c, err := v.named()
	if c == nil {
		return err
	}
	shell, err := v.shell()
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, pages.DeveloperDelete{
		Shell: shell, ID: c.ID, Name: pages.Untrusted(c.DisplayName()), Cancel: v.to(pathDeveloperClient, queryClient, c.ID),
	})
}

// deleteClient deletes a client, with all its tokens.
func (v *visit) deleteClient() error {
	c, err := v.named()
	if c == nil {
		return err
	}
	if err := client.Remove(v.r.Context(), v.db, v.actor(), c.ID); err != nil {
		if errors.Is(err, client.ErrNotFound) {
			return errNotHere
		}
		return err
	}
	v.note(v.r.Context(), authz.Event{Type: authz.EventClientRemoved, Client: c.ID, Actor: v.actor()})
	back := pages.PathDeveloper
	if c.Owner != v.subject() {
		back = pages.PathAdminClients
	}
	return v.done(v.config.Prefix+back, pages.MessageClientDeleted)
}

// isTrouble reports whether an error says that the store could not do its work, or
// that somebody else was faster; all others say what is wrong with a request.
func isTrouble(err error) bool {
	for _, trouble := range []error{
		tokenstore.ErrConflict, tokenstore.ErrUnknown, tokenstore.ErrUnavailable, tokenstore.ErrDamaged, tokenstore.ErrFull,
		tokenstore.ErrSealKey, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, trouble) {
			return true
		}
	}
	return errors.As(err, new(*authz.Error))
}
