// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// Paths of the pages of one client, which [queryClient] names.
const (
	pathDeveloperClient = "/developer/client"
	pathDeveloperDelete = "/developer/delete"
)

// overlap is how long a client's old secret still holds after it got a new one.
const overlap = 24 * time.Hour

// developerPages adds the pages for clients that users register.
func (s *Server) developerPages() {
	s.add(page{path: pages.PathDeveloper, show: (*visit).showOwned})
	s.add(page{path: pages.PathDeveloperNew, show: (*visit).showNew, do: map[string]func(*visit) error{
		pages.DoSave: (*visit).register,
	}})
	s.add(page{path: pathDeveloperClient, show: (*visit).showClient, do: map[string]func(*visit) error{
		pages.DoSave: (*visit).saveClient, pages.DoSecretRotate: (*visit).rotateSecret, pages.DoDelete: (*visit).askDelete,
	}})
	s.add(page{path: pathDeveloperDelete, show: (*visit).showDelete, do: map[string]func(*visit) error{
		pages.DoDelete: (*visit).deleteClient,
	}})
}

// mayRegister reports whether the visitor may register clients.
func (v *visit) mayRegister() bool { return v.config.SelfService.admits(v.account.User) }

// develops reports whether the pages for developers are anything to the visitor:
// who may register no more keeps what there is.
func (v *visit) develops() (bool, error) {
	if v.mayRegister() {
		return true, nil
	}
	own, err := client.Owned(v.r.Context(), v.db, v.subject())
	return len(own) > 0, err
}

// showOwned lists the visitor's clients.
func (v *visit) showOwned() error {
	if develops, err := v.develops(); !develops {
		return orNotHere(err)
	}
	own, err := client.Owned(v.r.Context(), v.db, v.subject())
	if err != nil {
		return err
	}
	shell, err := v.shell()
	if err != nil {
		return err
	}
	page := pages.DeveloperList{Shell: shell, MayRegister: v.mayRegister() && len(own) < v.config.SelfService.Limit}
	for _, c := range own {
		used, err := v.config.LastUsed(v.r.Context(), c.ID, "")
		if err != nil {
			return err
		}
		page.Clients = append(page.Clients, pages.DeveloperClient{
			ID: c.ID, Name: pages.Untrusted(c.DisplayName()), Public: !c.Confidential(), Disabled: c.Disabled,
			Created: c.Created, LastUsed: used, Edit: v.to(pathDeveloperClient, queryClient, c.ID),
		})
	}
	return v.render(http.StatusOK, page)
}

// orNotHere is err, or what a visitor gets for whom there is no such page.
func orNotHere(err error) error {
	if err != nil {
		return err
	}
	return errNotHere
}

// showNew shows the form for another client.
func (v *visit) showNew() error {
	if !v.mayRegister() {
		return errNotHere
	}
	return v.edit(http.StatusOK, &client.Client{}, v.newDraft(&client.Client{}))
}

// edit shows the form of a client, with what was wrong with it.
func (v *visit) edit(status int, c *client.Client, d *draft, faults ...pages.Fault) error {
	shell, err := v.shell()
	if err != nil {
		return err
	}
	shell.Faults = faults
	page := d.page(v)
	page.Shell, page.New, page.ID, page.HasSecret = shell, c.ID == "", c.ID, c.ID != "" && c.HasSecret()
	return v.render(status, page)
}

// register adds a client, and shows its secret.
func (v *visit) register() error {
	if !v.mayRegister() {
		return errNotHere
	}
	d := v.newDraft(&client.Client{})
	d.read(v)
	if faults := d.check(); len(faults) > 0 {
		return v.edit(http.StatusBadRequest, &client.Client{}, d, faults...)
	}
	c := client.Client{ID: strings.ToLower(rand.Text()), PKCE: client.PKCEAlways}
	d.apply(&c)
	raw, err := client.AddOwned(v.r.Context(), v.db, v.subject(), v.config.SelfService.Limit, c, v.once)
	if fault, ok := v.clientFault(err); ok {
		return v.edit(fault.status, &client.Client{}, d, fault.Fault)
	}
	if err != nil {
		return err
	}
	v.note(v.r.Context(), authz.Event{Type: authz.EventClientAdded, Client: c.ID, Actor: v.subject()})
	return v.showSecret(&c, raw)
}

// clientFault is what is wrong with a form as a whole, as the clients' room finds it.
type clientFault struct {
	pages.Fault
	status int
}

func (v *visit) clientFault(err error) (clientFault, bool) {
	switch {
	case err == nil, isTrouble(err):
		return clientFault{}, false
	case errors.Is(err, client.ErrLimit):
		return clientFault{pages.Fault{Message: pages.MessageLimit}, http.StatusConflict}, true
	}
	detail := strings.ReplaceAll(err.Error(), "\n", "; ")
	return clientFault{pages.Fault{Message: pages.MessageInvalid, Detail: pages.Untrusted(detail)}, http.StatusBadRequest}, true
}

// showSecret shows a client's new secret, this once.
func (v *visit) showSecret(c *client.Client, raw string) error {
	shell, err := v.shell()
	if err != nil {
		return err
	}
	page := pages.DeveloperSecret{
		Shell: shell, ID: c.ID, Name: pages.Untrusted(c.DisplayName()), Secret: raw, AuthMethod: c.Method(), Scope: c.Defaults().String(),
		Issuer:                v.config.Issuer,
		AuthorizationEndpoint: v.config.Origin + v.config.Prefix + pathAuthorize, TokenEndpoint: v.config.Origin + v.config.Prefix + pathToken,
		Done: v.to(pathDeveloperClient, queryClient, c.ID),
	}
	if len(c.RedirectURIs) > 0 {
		page.RedirectURI = c.RedirectURIs[0]
	}
	return v.render(http.StatusOK, page)
}

// Paths of endpoints, for people to read.
const (
	pathAuthorize = "/authorize"
	pathToken     = "/token"
)
