// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
	"github.com/caddy-oauth2/caddy-oauth2/authz/scope"
)

func init() {
	caddy.RegisterModule(new(MatchScope))
}

// errNoGuardYet is answered as a fault of the server, which it is.
var errNoGuardYet = errors.New("oauth2_scope stands before any oauth2_protect: nobody has examined the request yet")

// MatchScope matches requests whose credential has scopes. It is for what comes
// after `oauth2_protect`, which says who calls, and for the expressions of its rows. Anonymous requests do not match;
// before any guard it is an error (500), never false: there `not` would let pass
// what was to be kept out.
type MatchScope struct {
	// What the credential must have: any of the alternatives, of each all scopes.
	// Required.
	Requirement scope.Requirement `json:"requirement,omitempty"`

	app *App
}

// CaddyModule returns the Caddy module information.
func (*MatchScope) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.oauth2_scope", New: func() caddy.Module { return new(MatchScope) }}
}

// UnmarshalCaddyfile reads
//
//	oauth2_scope <scope>… [| <scope>…]
func (m *MatchScope) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		if len(m.Requirement) > 0 {
			return d.Err("oauth2_scope is already there: put alternatives on one line, with | between them")
		}
		if err := m.parse(d.RemainingArgs()); err != nil {
			return d.WrapErr(err)
		}
		if d.NextBlock(0) {
			return d.Err("oauth2_scope takes no block")
		}
	}
	return nil
}

// parse reads a requirement and checks it.
func (m *MatchScope) parse(words []string) error {
	var err error
	if m.Requirement, err = protect.ParseRequirement(words); err != nil {
		return fmt.Errorf("oauth2_scope: %w", err)
	}
	return m.validate()
}

func (m *MatchScope) validate() error {
	if len(m.Requirement) == 0 {
		return errors.New("oauth2_scope needs a scope")
	}
	if err := protect.ValidateRequirement(m.Requirement); err != nil {
		return fmt.Errorf("oauth2_scope: %w", err)
	}
	return nil
}

// Provision finds the app.
func (m *MatchScope) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return fmt.Errorf("oauth2_scope: %w", err)
	}
	m.app = app
	return nil
}

// Validate checks that the scopes are declared: nobody could have another.
func (m *MatchScope) Validate() error {
	if err := m.validate(); err != nil {
		return err
	}
	if err := m.app.validateDeclared(m.Requirement); err != nil {
		return fmt.Errorf("oauth2_scope: %w", err)
	}
	return nil
}

// MatchWithError implements [caddyhttp.RequestMatcherWithError].
func (m *MatchScope) MatchWithError(r *http.Request) (bool, error) {
	id, known := r.Context().Value(askingKey{}).(*identity)
	if !known {
		id, known = caddyhttp.GetVar(r.Context(), identityVar).(*identity)
	}
	if !known {
		return false, caddyhttp.Error(http.StatusInternalServerError, errNoGuardYet)
	}
	return id.principal != nil && m.Requirement.MetBy(id.principal.Scopes), nil
}

// CELLibrary gives expressions the function oauth2_scope('a', 'b', '|', 'c').
func (*MatchScope) CELLibrary(ctx caddy.Context) (cel.Library, error) {
	return caddyhttp.CELMatcherImpl("oauth2_scope", "oauth2_scope_match_request_list", []*cel.Type{cel.ListType(cel.StringType)},
		func(data ref.Val) (caddyhttp.RequestMatcherWithError, error) {
			words, err := data.ConvertToNative(reflect.TypeFor[[]string]())
			if err != nil {
				return nil, err
			}
			m := new(MatchScope)
			if err := m.parse(words.([]string)); err != nil {
				return nil, err
			}
			// A parser that only wants to know of the form has no app yet.
			if app, err := appOf(ctx); err == nil {
				m.app = app
				return m, m.Validate()
			}
			return m, nil
		})
}

// Interface guards
var (
	_ caddy.Provisioner                 = (*MatchScope)(nil)
	_ caddy.Validator                   = (*MatchScope)(nil)
	_ caddyfile.Unmarshaler             = (*MatchScope)(nil)
	_ caddyhttp.RequestMatcherWithError = (*MatchScope)(nil)
	_ caddyhttp.CELLibraryProducer      = (*MatchScope)(nil)
)
