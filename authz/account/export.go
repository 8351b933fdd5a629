// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/signin/factor"
)

// exported is what is kept about a user, but for what would help to become that user
// (no password, no secret, no key, no code) and for the audit ring, which is the
// operator's.
type exported struct {
	Issuer   string            `json:"issuer"`
	Made     time.Time         `json:"made"`
	Account  exportedAccount   `json:"account"`
	Factors  exportedFactors   `json:"factors"`
	Consents []exportedConsent `json:"consents"`
	Sessions []exportedSession `json:"sessions"`
	Clients  []exportedClient  `json:"clients"`
}

type exportedAccount struct {
	Subject    string         `json:"sub"`
	Username   string         `json:"preferred_username"`
	Email      string         `json:"email,omitempty"`
	Name       string         `json:"name,omitempty"`
	Source     string         `json:"source,omitempty"`
	SourceID   string         `json:"source_id,omitempty"`
	Groups     []string       `json:"groups,omitempty"`
	Claims     map[string]any `json:"claims,omitempty"`
	Created    time.Time      `json:"created"`
	PasswordAt time.Time      `json:"password_changed,omitzero"`
	SourceAt   time.Time      `json:"source_confirmed,omitzero"`
	MustChange bool           `json:"must_change,omitempty"`
}

type exportedFactors struct {
	Passkeys      []exportedPasskey `json:"passkeys,omitempty"`
	TOTPSince     time.Time         `json:"authenticator_app_since,omitzero"`
	RecoveryCodes int               `json:"recovery_codes_left,omitempty"`
}

type exportedPasskey struct {
	Name       string    `json:"name,omitempty"`
	Model      string    `json:"aaguid,omitempty"`
	Transports []string  `json:"transports,omitempty"`
	Created    time.Time `json:"created"`
	Used       time.Time `json:"last_used,omitzero"`
	Suspected  time.Time `json:"suspected,omitzero"`
}

type exportedConsent struct {
	Client   string         `json:"client_id"`
	Sites    []exportedSite `json:"sites"`
	Since    time.Time      `json:"since"`
	Changed  time.Time      `json:"changed"`
	LastUsed time.Time      `json:"last_used,omitzero"`
	Replayed time.Time      `json:"replayed,omitzero"`
}

type exportedSite struct {
	Resource string `json:"resource"`
	Scope    string `json:"scope"`
	Declined string `json:"declined,omitempty"`
}

type exportedSession struct {
	ID       string    `json:"sid"`
	Created  time.Time `json:"created"`
	AuthTime time.Time `json:"auth_time"`
	LastSeen time.Time `json:"last_seen"`
	Agent    string    `json:"agent,omitempty"`
	Address  string    `json:"network,omitempty"`
	Clients  []string  `json:"client_ids,omitempty"`
}

// exportedClient has the client's fields without its secrets, which JSON leaves out.
type exportedClient struct {
	client.Client
	Created time.Time `json:"created,omitzero"`
}

// export hands out what is kept about the visitor.
func (v *visit) export() error {
	data, err := v.collect()
	if err != nil {
		return err
	}
	body, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Disposition", `attachment; filename="account.json"`) // RFC 6266: no page of ours
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(body) // whoever hangs up is no trouble of ours
	return nil
}

// collect reads all that is kept about the visitor.
func (v *visit) collect() (*exported, error) {
	u, ctx := v.account.User, v.r.Context()
	data := &exported{
		Issuer: v.config.Issuer, Made: v.db.Now().UTC().Truncate(time.Second),
		Account: exportedAccount{
			u.Subject, u.Username, u.Email, u.Name, u.Source, u.SourceID, u.Groups, u.Claims, u.Created, u.PasswordAt,
			u.SourceAt, u.MustChange,
		},
		Consents: []exportedConsent{}, Sessions: []exportedSession{}, Clients: []exportedClient{},
	}
	set, err := factor.Load(ctx, v.db, u.Subject)
	if err != nil {
		return nil, err
	}
	data.Factors.TOTPSince = set.TOTP().Confirmed
	data.Factors.RecoveryCodes, _ = set.RecoveryLeft()
	for _, p := range set.Passkeys() {
		data.Factors.Passkeys = append(data.Factors.Passkeys, exportedPasskey{
			p.Name, hex.EncodeToString(p.Model), p.Transports, p.Created, p.Used, p.Suspected,
		})
	}
	consents, err := v.consents(u.Subject)
	if err != nil {
		return nil, err
	}
	for _, c := range consents {
		used, err := v.lastUsed(c)
		if err != nil {
			return nil, err
		}
		sites := make([]exportedSite, 0, len(c.Sites))
		for _, s := range c.Sites {
			sites = append(sites, exportedSite{s.Resource, s.Scopes.String(), s.Declined.String()})
		}
		data.Consents = append(data.Consents, exportedConsent{
			c.Client, sites, moment(c.Since), moment(c.Changed), used, moment(c.Replayed),
		})
	}
	sessions, err := v.config.SignIn.Sessions(ctx, u.Subject)
	if err != nil {
		return nil, err
	}
	for _, s := range sessions {
		data.Sessions = append(data.Sessions, exportedSession{s.ID, s.Created, s.AuthTime, s.LastSeen, s.Agent, s.Address, s.Clients})
	}
	clients, err := client.Owned(ctx, v.db, u.Subject)
	if err != nil {
		return nil, err
	}
	for _, c := range clients {
		data.Clients = append(data.Clients, exportedClient{*c, c.Created})
	}
	return data, nil
}
