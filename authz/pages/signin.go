// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

// SignIn asks for user name and password, or a passkey. It posts
// [FieldUsername] and [FieldPassword] with [DoSignIn], or [FieldPasskey] with
// [DoPasskey].
type SignIn struct {
	Form
	// Application is whom the user signs in for, or "" for the gateway itself.
	Application Untrusted
	// Username is filled in already.
	Username Untrusted
	// Fixed says that only this user will do, because he is to confirm who he is:
	// the name cannot be changed.
	Fixed bool
	// Passkey is what the browser needs to ask for a passkey:
	// PublicKeyCredentialRequestOptions as JSON, by itself or as the member
	// "publicKey" of an object. "": passkeys are not offered.
	Passkey string
	// SignUp is the path of the sign-up page, or "" where nobody signs up.
	SignUp string
	// Choose is the path back to the [Chooser], or "".
	Choose string
}

func (p SignIn) kind() kind { return kind{name: "signin", leads: p.Leads} }

// SecondFactor asks for one more proof. It posts [FieldCode] with [DoCode],
// [FieldRecovery] with [DoRecovery], or [FieldPasskey] with [DoPasskey].
type SecondFactor struct {
	Form
	// Application is as in [SignIn].
	Application Untrusted
	// Username is who signs in.
	Username Untrusted
	// TOTP says that a code of an authenticator app will do.
	TOTP bool
	// Recovery says that a recovery code will do.
	Recovery bool
	// Passkey is as in [SignIn].
	Passkey string
	// Back is the path at which to begin again.
	Back string
}

func (p SecondFactor) kind() kind { return kind{name: "secondfactor", leads: p.Leads} }

// Account is one that may be chosen.
type Account struct {
	// ID is the value of [FieldAccount]: opaque to the page.
	ID string
	// Name is what to call the person, or "".
	Name Untrusted
	// Username is how he signs in.
	Username Untrusted
	// Expired says that he has to sign in again.
	Expired bool
}

// Chooser asks which account to go on with. It posts [FieldAccount] with
// [DoChoose], or [DoAnother].
type Chooser struct {
	Form
	// Application is as in [SignIn].
	Application Untrusted
	// Accounts are those known in this browser.
	Accounts []Account
}

func (p Chooser) kind() kind { return kind{name: "chooser", leads: p.Leads} }

// SignUp makes a new account. It posts [FieldUsername], [FieldEmail],
// [FieldName], [FieldNewPassword] and [FieldRepeat] with [DoSignUp].
type SignUp struct {
	Form
	// Application is as in [SignIn].
	Application Untrusted
	// Username, Email and Name are filled in already.
	Username, Email, Name Untrusted
	// MinPassword is how many characters a password has at least.
	MinPassword int
	// SignIn is the path for those who have an account.
	SignIn string
}

func (p SignUp) kind() kind { return kind{name: "signup", leads: p.Leads} }

// SignOut asks whether to sign out. It posts [DoSignOut] or [DoSignOutAll].
type SignOut struct {
	Form
	// Username is who is signed in.
	Username Untrusted
	// Others says that more accounts are signed in here.
	Others bool
	// Cancel is the path to go to instead.
	Cancel string
}

func (p SignOut) kind() kind { return kind{name: "signout", leads: p.Leads} }

// SignedOut says that it is done.
type SignedOut struct {
	// SignIn is the path at which to sign in again.
	SignIn string
}

func (SignedOut) kind() kind { return kind{name: "signedout"} }

// PasswordChange replaces the password. It posts [FieldPassword],
// [FieldNewPassword] and [FieldRepeat] with [DoChange].
type PasswordChange struct {
	Form
	// Username is whose it is.
	Username Untrusted
	// Must says that he cannot go on otherwise.
	Must bool
	// MinPassword is how many characters a password has at least.
	MinPassword int
	// Cancel is the path to go to instead, or "".
	Cancel string
}

func (p PasswordChange) kind() kind { return kind{name: "passwordchange", leads: p.Leads} }

// PasswordReset sets a new password; a one-time link leads to it. It posts
// [FieldNewPassword] and [FieldRepeat] with [DoReset].
type PasswordReset struct {
	Form
	// Username is whose it is.
	Username Untrusted
	// MinPassword is how many characters a password has at least.
	MinPassword int
}

func (p PasswordReset) kind() kind { return kind{name: "passwordreset", leads: p.Leads} }
