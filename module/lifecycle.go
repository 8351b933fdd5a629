// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/endpoint"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jwks"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "oauth2", New: func() caddy.Module { return new(App) }}
}

// Provision resolves what the configuration says. It opens nothing, and
// writes nothing.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.log, a.gate = ctx, ctx.Logger(), newGate()
	a.setDefaults()
	if err := register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	if err := a.loadGuests(); err != nil {
		return err
	}
	if err := a.resolveSealKeys(); err != nil {
		return err
	}
	if err := a.buildRegistry(); err != nil {
		return err
	}
	if err := a.buildRecorder(); err != nil {
		return err
	}
	if err := a.buildUsers(); err != nil {
		return err
	}
	if err := a.buildPeople(); err != nil {
		return err
	}
	if err := errors.Join(a.buildVisits(), a.buildEndpoints()); err != nil {
		return err
	}
	a.front = floor{a.endpoints, a.people.signin, a.people.visits, assets{a.Prefix, a.people.pages}}
	return nil
}

func (a *App) setDefaults() {
	if a.Prefix == "" {
		a.Prefix = endpoint.DefaultPrefix
	}
	if a.ScopePolicy == "" {
		a.ScopePolicy = ScopeRefuse
	}
	if a.AccessToken.Lifetime == 0 {
		a.AccessToken.Lifetime = caddy.Duration(token.DefaultLifetime)
	}
	if a.CacheEntries == 0 {
		a.CacheEntries = tokenstore.DefaultCacheEntries
	}
}

// resolveSealKeys reads the sealing keys that are configured.
func (a *App) resolveSealKeys() error {
	for i, configured := range a.SealKeys {
		text, err := resolveSecret(configured)
		if err != nil {
			return fmt.Errorf("seal_key, %d of %d: %w", i+1, len(a.SealKeys), err)
		}
		keys, err := tokenstore.ParseSealKeys(text)
		if err != nil {
			return fmt.Errorf("seal_key, %d of %d: %w", i+1, len(a.SealKeys), err)
		}
		a.sealKeys = append(a.sealKeys, keys...)
	}
	return nil
}

// buildRegistry makes the registry of clients out of those configured.
func (a *App) buildRegistry() error {
	var configured []*client.Client
	for _, declared := range a.Clients {
		declared.Secret = slices.Clone(declared.Secret)
		for i, secret := range declared.Secret {
			text, err := resolveSecret(secret)
			if err != nil {
				return fmt.Errorf("client %s: secret: %w", declared.ID, err)
			}
			declared.Secret[i] = text
		}
		keys, err := resolveKeys(declared.JWKS)
		if err != nil {
			return fmt.Errorf("client %s: jwks: %w", declared.ID, err)
		}
		declared.JWKS = keys
		c, err := declared.Build()
		if err != nil {
			return err
		}
		configured = append(configured, c)
	}
	var err error
	a.registry, err = client.NewRegistry(configured, a.store)
	return err
}

// buildRecorder makes what all others tell of what happens.
func (a *App) buildRecorder() error {
	events, err := newEmitter(a.ctx)
	if err != nil {
		return err
	}
	a.recorder = newRecorder(a.log.Named("audit"), slices.Collect(maps.Keys(a.grantTypes)))
	a.recorder.events, a.recorder.used = events, a.used
	return nil
}

// buildEndpoints makes the authorization server. It opens nothing.
func (a *App) buildEndpoints() (err error) {
	words := make([]string, len(a.Scopes))
	for i, s := range a.Scopes {
		words[i] = s.Name
	}
	lifetimes := make(map[string]time.Duration, len(a.AccessToken.Lifetimes))
	for name, lifetime := range a.AccessToken.Lifetimes {
		lifetimes[name] = time.Duration(lifetime)
	}
	config := endpoint.Config{
		Issuer:                a.Issuer,
		InsecureHTTP:          a.InsecureHTTP,
		Prefix:                a.Prefix,
		Clients:               a.registry,
		Keys:                  a.keys,
		Guesses:               a.guesses,
		Address:               clientAddress,
		AssertionsForTokenURL: a.AssertionAudience == AudienceTokenURL,
		GrantTypes:            a.grantTypes,
		Format:                a.format,
		ClientFormats:         a.formats,
		Formats:               a.verifier.Formats,
		People:                a.users,
		SigningKeys:           a.signingKeys,
		Signs:                 len(a.signingFormats()) > 0,
		Store:                 a.store,
		Scopes:                scope.Of(words...),
		FilterScopes:          a.ScopePolicy == ScopeFilter,
		Lifetime:              time.Duration(a.AccessToken.Lifetime),
		Lifetimes:             lifetimes,
		KnownResource:         a.knownResource,
		EarlyData:             earlyData,
		SecretInURL:           skipAccessLog,
		ErrorURIs:             a.ErrorURIs,
		Recorder:              a.recorder,
	}
	a.authorization(&config)
	a.endpoints, err = endpoint.New(config)
	return err
}

// knownResource reports whether a guard of this configuration guards a
// resource. Which do is known once the app has started.
func (a *App) knownResource(resource string) bool {
	return a.gate.wait(context.Background()) == nil && a.resources[authz.CanonicalResource(resource)]
}

// Start opens the store, or joins those who have it open, and lets requests in.
func (a *App) Start() error {
	if err := a.acquire(); err != nil {
		return err
	}
	if err := a.warnOfHazards(); err != nil {
		return err
	}
	if err := a.startSites(); err != nil {
		return err
	}
	if relaxed := a.relaxed(a.ctx); len(relaxed) > 0 {
		a.log.Warn("configured less strict than the defaults", zap.Strings("settings", relaxed))
	}
	a.warnOfHidden()
	a.ensureKeys()
	a.gate.open()
	return nil
}

// warnOfHidden names the clients of the store that configured ones hide: when
// the configuration drops those, these come to light, and the tokens with them.
func (a *App) warnOfHidden() {
	var hidden []string
	for _, c := range a.registry.ConfiguredClients() {
		if _, err := client.Get(a.ctx, a.runtime.db, c.ID); err == nil {
			hidden = append(hidden, c.ID)
		}
	}
	if len(hidden) > 0 {
		slices.Sort(hidden)
		a.log.Warn("clients of the store have the ids of configured ones, and would take their place and their tokens if those went; "+
			"give one of the two another id", zap.Strings("clients", hidden))
	}
}

// acquire takes the runtime of the store from the pool.
func (a *App) acquire() error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	identity, err := a.engine.Identity()
	if err != nil {
		return err
	}
	pooled, _, err := runtimes.LoadOrNew(identity, func() (caddy.Destructor, error) {
		return openRuntime(a.engine, s)
	})
	if err != nil {
		return err
	}
	a.identity, a.runtime = identity, pooled.(*runtime)
	if err := a.runtime.enter(s); err != nil {
		return fmt.Errorf("token store %s: %w", identity, err)
	}
	a.inForce = s
	return nil
}

// settings returns what the live store is told.
func (a *App) settings() (*settings, error) {
	s := &settings{cacheEntries: a.CacheEntries, sealKeys: a.sealKeys}
	if len(s.sealKeys) > 0 {
		return s, nil
	}
	keeper, ok := a.engine.(tokenstore.KeyKeeper)
	if !ok {
		return nil, errors.New("seal_key is missing: this store has no place of its own for a sealing key")
	}
	text, err := keeper.DefaultSealKey()
	if err != nil {
		return nil, err
	}
	s.sealKeys, err = tokenstore.ParseSealKeys(text)
	return s, err
}

// startSites gives each guard the identity of its sites, and the pages theirs, which can
// be seen only now that the http app is there in full.
func (a *App) startSites() error {
	a.resources = map[string]bool{}
	app, err := a.ctx.AppIfConfigured("http")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil
	}
	if err != nil {
		return err
	}
	found := sites(app.(*caddyhttp.App))
	a.served = map[string]bool{}
	served := false
	for handler, addresses := range found {
		if _, ok := handler.(*Server); !ok {
			continue
		}
		served = true
		for _, address := range addresses {
			a.served[address] = true
		}
	}
	a.elsewhere = otherHosts(a.Issuer, a.served)
	for _, guard := range a.guards {
		if err := guard.start(found[guard], served); err != nil {
			return err
		}
		for _, resource := range guard.identities() {
			a.resources[authz.CanonicalResource(resource)] = true
		}
	}
	return nil
}

// Stop is called when another configuration has come to serve, or at the end
// of the process. Requests may still be on their way, here and through other
// apps, and they need the store: only Cleanup lets go of it. But they are judged
// by the clients of the configuration that serves now.
func (a *App) Stop() error {
	if next, err := servingApp(); err == nil && next != a {
		a.registry.Retire(next.registry)
		a.users.Retire(next.users)
	}
	if a.runtime == nil {
		return nil
	}
	return a.runtime.settle(a.inForce)
}

// Cleanup lets go of what Start took, and of nothing else: when Provision or
// Start has failed, that may be nothing at all.
func (a *App) Cleanup() error {
	if a.gate.opened != nil {
		a.gate.close()
	}
	if a.runtime == nil || a.identity == "" {
		return nil
	}
	identity := a.identity
	a.identity = "" // a.runtime stays: requests on their way get an error from it, not a panic
	left := a.runtime.leave(a.inForce)
	_, err := runtimes.Delete(identity)
	return errors.Join(left, err)
}

// store is the gate in front of the store: it waits until the app has
// started, at most [gateWait]. After the last configuration has let go of the
// store, the DB returned refuses.
func (a *App) store(ctx context.Context) (*tokenstore.DB, error) {
	if err := a.gate.wait(ctx); err != nil {
		return nil, err
	}
	return a.runtime.db, nil
}

// keys is the same for the keys of others.
func (a *App) keys(ctx context.Context) (*jwks.Cache, error) {
	if err := a.gate.wait(ctx); err != nil {
		return nil, err
	}
	return a.runtime.keys, nil
}

// used notes that a client was accepted, for a user or for itself, which only the
// store can tell: so the app has started.
func (a *App) used(client, subject string) { a.runtime.usage.touch(client, subject) }

// now is the clock of the store, which never goes back.
func (a *App) now() time.Time { return a.runtime.db.Now() }

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
	_ authz.Recorder     = (*recorder)(nil)
)
