// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

// Names of the fields of forms. Handlers read them, templates write them.
const (
	// FieldHandle is in every form: the sealed, expiring state that binds it to the browser.
	FieldHandle = "handle"
	// FieldDo says which button was pressed: one of the Do… values.
	FieldDo = "do"

	FieldUsername = "username"
	FieldEmail    = "email"
	// FieldName is what to call a person, or a passkey.
	FieldName     = "name"
	FieldPassword = "password"
	// FieldNewPassword and FieldRepeat are those of a new password, typed twice.
	FieldNewPassword = "new_password"
	FieldRepeat      = "repeat"
	// FieldCode is a one-time code of an authenticator app, FieldRecovery a recovery code.
	FieldCode     = "code"
	FieldRecovery = "recovery"
	// FieldPasskey is what the browser's authenticator answered: a PublicKeyCredential as JSON.
	FieldPasskey = "passkey"
	// FieldAccount is the chosen [Account.ID].
	FieldAccount = "account"
	// FieldScope is repeated: each ticked scope.
	FieldScope = "scope"

	// FieldClient, FieldSubject, FieldSession, FieldCredential and FieldKey name what a
	// button is about: a client id, a user's subject, a session's, a passkey's or a key's id.
	FieldClient     = "client"
	FieldSubject    = "subject"
	FieldSession    = "session"
	FieldCredential = "credential"
	FieldKey        = "key"
	// FieldSearch is the text of a search box.
	FieldSearch = "search"
)

// Fields of [DeveloperEdit], by the names of RFC 7591 §2.
const (
	FieldClientName      = "client_name"
	FieldClientURI       = "client_uri"
	FieldLogoURI         = "logo_uri"
	FieldPolicyURI       = "policy_uri"
	FieldTermsURI        = "tos_uri"
	FieldRedirectURIs    = "redirect_uris" // a text area, one URI a line
	FieldContacts        = "contacts"      // a text area, one address a line
	FieldGrantTypes      = "grant_types"   // repeated
	FieldAuthMethod      = "token_endpoint_auth_method"
	FieldJWKSURI         = "jwks_uri"
	FieldSoftwareID      = "software_id"
	FieldSoftwareVersion = "software_version"
)

// Values of [FieldDo].
const (
	DoSignIn   = "signin"
	DoPasskey  = "passkey"
	DoCode     = "code"
	DoRecovery = "recovery"
	DoChoose   = "choose"
	// DoAnother: sign in with an account that is not in the list, or switch to one.
	DoAnother = "another"
	DoSignUp  = "signup"
	DoSignOut = "signout"
	// DoSignOutAll ends the sessions of all accounts in this browser.
	DoSignOutAll = "signout_all"
	DoChange     = "change"
	DoReset      = "reset"
	DoAllow      = "allow"
	DoDeny       = "deny"

	DoRevoke    = "revoke"
	DoEnd       = "end"
	DoEndOthers = "end_others"
	// DoEndAll ends all sessions of a user.
	DoEndAll = "end_all"

	DoPasskeyAdd    = "passkey_add"
	DoPasskeyRemove = "passkey_remove"
	DoTOTPBegin     = "totp_begin"
	DoTOTPConfirm   = "totp_confirm"
	DoTOTPRemove    = "totp_remove"
	DoRecoveryRenew = "recovery_renew"
	DoExport        = "export"
	DoSave          = "save"
	DoSecretRotate  = "secret_rotate"
	DoDelete        = "delete"
	DoDisable       = "disable"
	DoEnable        = "enable"
	DoResetLink     = "reset_link"
	DoRemoveFactors = "remove_factors"
	DoRotate        = "rotate"
	DoSearch        = "search"
)

// Form is what every page with a form has. All forms of a page post to the same
// action with the same handle; [FieldDo] tells them apart.
type Form struct {
	// Action is where they post to: a path on the issuer's host, with a query if
	// need be.
	Action string
	// Handle is the value of [FieldHandle].
	Handle string
	// Faults are what was wrong with the form when it was last posted.
	Faults []Fault
	// Leads says that the answer to the form may redirect away from the issuer's
	// host, to the client or a site. Browsers hold such a redirect against the
	// page's form-action, so the page is then sent without one.
	Leads bool
}

// Fault is one thing that is wrong with a form.
type Fault struct {
	// Field is the name of the field at fault, or "" for the form as a whole.
	Field string
	// Message says what is wrong.
	Message Message
	// Detail is what else is known, in English, such as a validator's words. It
	// stands behind the message. Usually "".
	Detail Untrusted
}

// Fault returns what is wrong with a field, or nil.
func (f Form) Fault(field string) *Fault {
	for i := range f.Faults {
		if f.Faults[i].Field == field {
			return &f.Faults[i]
		}
	}
	return nil
}
