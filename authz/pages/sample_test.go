// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"math/rand/v2"
	"time"
)

var (
	spring = time.Date(2026, 4, 3, 9, 30, 0, 0, time.UTC)
	autumn = time.Date(2026, 11, 21, 17, 5, 0, 0, time.UTC)
)

func form(action string, faults ...Fault) Form {
	return Form{Action: testPrefix + action, Handle: "c2FtcGxl", Faults: faults}
}

func shell(action string, notice Message, faults ...Fault) Shell {
	return Shell{Form: form(action, faults...), Viewer: "Ada Lovelace", Developer: true, Admin: true, Notice: notice}
}

// noise looks like a QR code and is none.
func noise() [][]bool {
	random := rand.New(rand.NewPCG(1, 2))
	rows := make([][]bool, 33)
	for y := range rows {
		rows[y] = make([]bool, len(rows))
		for x := range rows[y] {
			rows[y][x] = random.IntN(2) == 1
		}
	}
	return rows
}

// named is a page as it may come, under the name of its picture.
type named struct {
	name string
	page Page
}

// samples are all pages, some of them in several states.
func samples() []named {
	orders := []Scope{
		{Word: "orders:read", Text: "See your orders"},
		{Word: "orders:write", Text: "Create and change orders", Optional: true, Ticked: true},
		{Word: "profile", Text: "Know your name and picture", Granted: true},
		{Word: "email", Optional: true},
	}
	apps := []Application{
		{ClientID: "shop", Name: "Example Shop", Host: "shop.example.com", Scopes: orders[:2], Resources: []Untrusted{"api.example.com"}, Since: spring, LastUsed: autumn},
		{ClientID: "c-1", Name: "Tax Helper for Small Companies and Associations", Owner: "bernd", Host: "tax.example.net", Scopes: orders, Since: spring, Replayed: autumn},
	}
	sessions := []Session{
		{ID: "1", Current: true, Agent: "Firefox, Linux", Network: "192.0.2.0/24", Created: spring, LastSeen: autumn, Applications: []Untrusted{"Example Shop", "Tax Helper"}},
		{ID: "2", Agent: "Safari, iPhone", Network: "2001:db8::/48", Created: spring, LastSeen: autumn},
		{ID: "3", Created: spring, LastSeen: autumn},
	}
	ada := AdminUserRow{Subject: "u7f3k2", Username: "ada", Name: "Ada Lovelace", Email: "ada@example.com", Source: "local", Created: spring, LastSeen: autumn, View: "/oauth/admin/users/u7f3k2"}
	bernd := AdminUserRow{Subject: "u9x", Username: "bernd", Source: "legacy", Disabled: true, MustChange: true, Created: spring, View: "/oauth/admin/users/u9x"}
	methods := []Choice{{Value: "client_secret_basic", Chosen: true}, {Value: "client_secret_post"}, {Value: "none"}}
	grants := []Choice{{Value: "authorization_code", Chosen: true}, {Value: "refresh_token", Chosen: true}}
	scopes := []Choice{{Value: "orders:read", Text: "See your orders", Chosen: true}, {Value: "orders:write", Text: "Create and change orders"}}
	return append(cardSamples(orders),
		named{"account-home", AccountHome{Shell: shell(PathAccount, MessageAccessRevoked), Applications: apps}},
		named{"account-home-empty", AccountHome{Shell: Shell{Form: form(PathAccount), Viewer: "carla"}}},
		named{"account-sessions", AccountSessions{Shell: shell(PathAccountSessions, ""), Sessions: sessions}},
		named{"account-security", AccountSecurity{Shell: shell(PathAccountSecurity, MessagePasskeyAdded), Password: true, PasswordAt: spring,
			Passkeys:   []Passkey{{ID: "a", Name: "Laptop", Created: spring, LastUsed: autumn}, {ID: "b", Name: "Security key", Created: autumn}},
			NewPasskey: "{}", OffersTOTP: true, TOTP: true, TOTPSince: autumn, RecoveryCodes: 7, RecoveryAt: spring}},
		named{"account-security-plain", AccountSecurity{Shell: shell(PathAccountSecurity, "", Fault{Message: MessageLastFactor}), Password: true, NewPasskey: "{}", OffersTOTP: true}},
		named{"account-totp", AccountTOTP{Shell: shell(PathAccountSecurity, "", Fault{Field: FieldCode, Message: MessageCode}), QR: noise(), Secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", Cancel: "/oauth/account/security"}},
		named{"account-recovery", AccountRecovery{Shell: shell(PathAccountSecurity, ""), Done: "/oauth/account/security",
			Codes: []string{"4F7K-9QTM-2XHD", "B6RW-3NJY-8PCG", "K2VD-7HSX-5MQT", "P9GC-4WBJ-6RYN", "T3MX-8KDF-2VHQ", "W5YN-6PRC-9GJB", "D8HQ-2TKS-4FXM", "G7JB-5CNW-3RYP"}}},
		named{"developer-list", DeveloperList{Shell: shell(PathDeveloper, ""), MayRegister: true, Clients: []DeveloperClient{
			{ID: "c-5mQ0v3pUq8", Name: "My First Application", Created: spring, LastUsed: autumn, Edit: "/oauth/developer/c-5mQ0v3pUq8"},
			{ID: "c-x81Lm2", Name: "Single-page try", Public: true, Disabled: true, Created: autumn, Edit: "/oauth/developer/c-x81Lm2"}}}},
		named{"developer-list-empty", DeveloperList{Shell: shell(PathDeveloper, MessageClientDeleted), MayRegister: true}},
		named{"developer-new", DeveloperEdit{Shell: shell(PathDeveloperNew, ""), New: true, GrantTypes: grants, AuthMethods: methods, Scopes: scopes}},
		named{"developer-edit", DeveloperEdit{Shell: shell("/developer/c-1", MessageSaved), ID: "c-5mQ0v3pUq8", HasSecret: true, Name: "My First Application",
			RedirectURIs: "https://app.example.org/callback\nhttp://127.0.0.1/callback", Contacts: "dev@example.org", GrantTypes: grants, AuthMethods: methods, Scopes: scopes}},
		named{"developer-faults", DeveloperEdit{Shell: shell(PathDeveloperNew, "", Fault{Field: FieldClientName, Message: MessageMissing}, Fault{Field: FieldRedirectURIs, Message: MessageInvalid, Detail: "redirect URI 1: plain http is for loopback only"}),
			New: true, RedirectURIs: "http://example.com/", GrantTypes: grants, AuthMethods: methods, Scopes: scopes}},
		named{"developer-secret", DeveloperSecret{Shell: shell("/developer/c-1", ""), ID: "c-5mQ0v3pUq8", Name: "My First Application", Secret: "oas_Vx7Qd0p2mK4nR8sT1uW3yZ5aB6cE9fHjL", Issuer: "https://auth.example.com",
			AuthorizationEndpoint: "https://auth.example.com/oauth/authorize", TokenEndpoint: "https://auth.example.com/oauth/token", RedirectURI: "https://app.example.org/callback", Scope: "orders:read", AuthMethod: "client_secret_basic", Done: "/oauth/developer"}},
		named{"developer-delete", DeveloperDelete{Shell: shell("/developer/c-1", ""), ID: "c-5mQ0v3pUq8", Name: "My First Application", Cancel: "/oauth/developer"}},
		named{"admin-users", AdminUsers{Shell: shell(PathAdminUsers, ""), Listing: Listing{Search: "a", Next: "/oauth/admin/users?from=x"}, Users: []AdminUserRow{ada, bernd}}},
		named{"admin-user", AdminUser{Shell: shell("/admin/users/u7f3k2", ""), User: ada, Groups: []Untrusted{"staff", "developers"}, Local: true, Passkeys: 2, TOTP: true, RecoveryCodes: 7,
			Applications: apps, Sessions: sessions[1:], ResetLink: "https://auth.example.com/oauth/password?ticket=oat_9fK2mQ7sVx4nT8wZ1bC5dE3gH6jL0pRu", ResetUntil: autumn}},
		named{"admin-user-disabled", AdminUser{Shell: shell("/admin/users/u9x", MessageUserDisabled), User: bernd}},
		named{"admin-clients", AdminClients{Shell: shell(PathAdminClients, ""), Clients: []AdminClientRow{
			{ID: "shop", Name: "Example Shop", Configured: true, LastUsed: autumn},
			{ID: "c-5mQ0v3pUq8", Name: "My First Application", Owner: "ada", Created: spring, LastUsed: autumn, Edit: "/oauth/developer/c-5mQ0v3pUq8"},
			{ID: "c-x81Lm2", Name: "Single-page try", Owner: "bernd", Public: true, Disabled: true, Created: autumn}}}},
		named{"admin-grants", AdminGrants{Shell: shell(PathAdminGrants, ""), Grants: []AdminGrantRow{
			{Subject: "u7f3k2", ClientID: "shop", Username: "ada", Client: "Example Shop", Scopes: orders, Since: spring, LastUsed: autumn},
			{Subject: "u9x", ClientID: "c-1", Username: "bernd", Client: "Tax Helper", Scopes: orders[:1], Since: spring, Replayed: autumn}}}},
		named{"admin-sessions", AdminSessions{Shell: shell(PathAdminSessions, MessageSessionEnded), Sessions: []AdminSessionRow{
			{Session: sessions[0], Subject: "u7f3k2", Username: "ada"}, {Session: sessions[1], Subject: "u9x", Username: "bernd"}}}},
		named{"admin-keys", AdminKeys{Shell: shell(PathAdminKeys, ""), MayRotate: true, Keys: []AdminKeyRow{
			{ID: "5b1f0c9e77aa4d21", Use: "access_tokens", Algorithm: "ES256", State: "active", Since: spring},
			{ID: "0d44b8a1c3f29e60", Use: "access_tokens", Algorithm: "ES256", State: "retired", Since: spring, Until: autumn}}}},
		named{"admin-audit", AdminAudit{Shell: shell(PathAdminAudit, ""), Listing: Listing{First: "/oauth/admin/audit", Next: "/oauth/admin/audit?from=9"}, Events: []AdminEventRow{
			{Time: autumn, Type: "grant_replayed", Outcome: "denied", Reason: "invalid_grant", Client: "c-1", Subject: "u9x", Username: "bernd", Grant: "g-71"},
			{Time: autumn, Type: "user_disabled", Outcome: "allowed", Actor: "ada", Subject: "u9x", Username: "bernd"},
			{Time: spring, Type: "token_issued", Outcome: "allowed", Client: "shop", Subject: "u7f3k2", Grant: "g-70"}}}},
	)
}

func cardSamples(orders []Scope) []named {
	return []named{
		{"signin", SignIn{Form: form(PathSignIn), Application: "Example Shop", Passkey: "{}", SignUp: "/oauth/signup"}},
		{"signin-fault", SignIn{Form: form(PathSignIn, Fault{Message: MessageRefused}), Username: "ada", Choose: "/oauth/signin/choose"}},
		{"signin-confirm", SignIn{Form: form(PathSignIn), Username: "ada", Fixed: true, Passkey: "{}"}},
		{"factor", SecondFactor{Form: form("/signin/factor", Fault{Field: FieldCode, Message: MessageCode}), Application: "Example Shop", Username: "ada", TOTP: true, Recovery: true, Passkey: "{}", Back: "/oauth/signin"}},
		{"factor-recovery", SecondFactor{Form: form("/signin/factor"), Username: "ada", Recovery: true, Back: "/oauth/signin"}},
		{"chooser", Chooser{Form: form("/signin/choose"), Application: "Example Shop", Accounts: []Account{
			{ID: "1", Name: "Ada Lovelace", Username: "ada@example.com"}, {ID: "2", Username: "bernd", Expired: true}}}},
		{"signup", SignUp{Form: form(PathSignUp, Fault{Field: FieldUsername, Message: MessageTaken}, Fault{Field: FieldNewPassword, Message: MessagePasswordShort}), Username: "admin", Email: "a@example.com", MinPassword: 10, SignIn: "/oauth/signin"}},
		{"signout", SignOut{Form: form(PathSignOut), Username: "ada", Others: true, Cancel: "/oauth/account"}},
		{"signedout", SignedOut{SignIn: "/oauth/signin"}},
		{"password-change", PasswordChange{Form: form(PathPassword, Fault{Field: FieldPassword, Message: MessagePasswordWrong}), Username: "ada", MinPassword: 10, Cancel: "/oauth/account/security"}},
		{"password-must", PasswordChange{Form: form(PathPassword), Username: "ada", Must: true, MinPassword: 10}},
		{"password-reset", PasswordReset{Form: form(PathPassword), Username: "ada", MinPassword: 10}},
		{"consent", Consent{Form: form("/authorize"), Client: "Example Shop", ClientID: "shop", RedirectHost: "shop.example.com", Name: "Ada Lovelace", Username: "ada",
			Resources: []Untrusted{"api.example.com"}, Scopes: orders, Offline: true, TermsURI: "https://shop.example.com/terms", PolicyURI: "https://shop.example.com/privacy"}},
		{"consent-native", Consent{Form: form("/authorize"), Client: "Little Desktop Tool", ClientID: "c-x81Lm2", ClientURI: "https://tool.example.org/", Owner: "bernd", RedirectHost: "127.0.0.1", Native: true, Username: "ada", Scopes: orders[:1]}},
		{"formpost", FormPost{URI: "https://shop.example.com/callback", Client: "Example Shop", RedirectHost: "shop.example.com", Fields: []Field{{"code", "SplxlOBeZQQYbYS6WxSbIA"}, {"state", "af0ifjsldkj"}}}},
		{"problem", Problem{Code: "invalid_request", Summary: "The parameter redirect_uri is not one that the client registered.", Message: MessageRedirect, Client: "Example Shop"}},
		{"problem-expired", Problem{Code: "expired", Back: "/oauth/account"}},
		{"error-code", ErrorCode{Code: "insufficient_scope", Status: 403, Summary: "The access token lacks a scope that this request needs."}},
		{"error-code-unknown", ErrorCode{}},
		{"refusal", Refusal{Status: 401, Code: "credential_required", Summary: "An access token is required.", More: "https://auth.example.com/oauth/errors/credential_required"}},
		{"refusal-forbidden", Refusal{Status: 403, Code: "insufficient_scope", Summary: "The access token lacks a scope that this request needs."}},
	}
}
