// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package pages renders the pages that people see. It holds templates and
// Render: no handlers, no logic.
package pages

// Paths of the pages that link to one another, below the prefix.
const (
	PathSignIn          = "/signin"
	PathSignUp          = "/signup"
	PathSignOut         = "/signout"
	PathPassword        = "/password"
	PathAccount         = "/account"
	PathAccountSessions = "/account/sessions"
	PathAccountSecurity = "/account/security"
	PathDeveloper       = "/developer"
	PathDeveloperNew    = "/developer/new"
	PathAdminUsers      = "/admin/users"
	PathAdminClients    = "/admin/clients"
	PathAdminGrants     = "/admin/grants"
	PathAdminSessions   = "/admin/sessions"
	PathAdminKeys       = "/admin/keys"
	PathAdminAudit      = "/admin/audit"
	// PathErrors is what the pages that explain error codes begin with.
	PathErrors = "/errors/"
	// PathAssets is what the stylesheet, the script and the logo begin with.
	PathAssets = "/assets/"
)

// Page is one of the structs of this package: the content of a page.
type Page interface{ kind() kind }

// kind is what Render has to know of a page beside its content.
type kind struct {
	// name is the page's template, "signin" for signin.html.
	name string
	// leads: see [Form.Leads].
	leads bool
	// alone is set for a page that is shown at other hosts than the issuer's: it
	// carries in itself whatever it needs.
	alone bool
}
