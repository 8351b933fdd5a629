// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"image"
	"image/color"
	"time"
)

// Shell is what all pages of a signed-in user have: who he is, where he may go.
type Shell struct {
	Form
	// Viewer is the name of the one who looks at the page.
	Viewer Untrusted
	// Developer and Admin say whether he may go to those pages.
	Developer, Admin bool
	// Notice says what was just done, or "". One that is no [Message] is not shown,
	// so that it may come from the page's address.
	Notice Message
}

// Application is a client that has access to the user's data.
type Application struct {
	// ClientID is the value of [FieldClient].
	ClientID string
	Name     Untrusted
	// Owner is as in [Consent].
	Owner Untrusted
	// Host is where the client sends its users back to, or "".
	Host Host
	// Scopes are what it may do, Resources for which sites.
	Scopes    []Scope
	Resources []Untrusted
	// Since is when the user allowed it; LastUsed when it was last used, the zero
	// time if it never was.
	Since, LastUsed time.Time
	// Replayed is when somebody presented one of its spent tokens, so that the
	// grant was ended; the zero time if nobody did.
	Replayed time.Time
}

// AccountHome lists the applications with access. It posts [FieldClient] with
// [DoRevoke].
type AccountHome struct {
	Shell
	Applications []Application
}

func (AccountHome) kind() kind { return kind{name: "accounthome"} }

// Session is a browser in which a user is signed in.
type Session struct {
	// ID is the value of [FieldSession].
	ID string
	// Current says that it is the one that looks at the page.
	Current bool
	// Agent is a few words about the browser, or "" if nothing is known of it.
	Agent Untrusted
	// Network is where it was last seen, or "".
	Network string
	// Created is when the user signed in; LastSeen when the session was last used.
	Created, LastSeen time.Time
	// Applications are the clients that it signed in.
	Applications []Untrusted
}

// AccountSessions lists where the user is signed in. It posts [FieldSession] with
// [DoEnd], or [DoEndOthers].
type AccountSessions struct {
	Shell
	Sessions []Session
}

func (AccountSessions) kind() kind { return kind{name: "accountsessions"} }

// Passkey is one that a user has.
type Passkey struct {
	// ID is the value of [FieldCredential].
	ID                string
	Name              Untrusted
	Created, LastUsed time.Time
}

// AccountSecurity is how the user signs in. It posts [DoPasskeyAdd] with
// [FieldPasskey] and [FieldName], [DoPasskeyRemove] with [FieldCredential],
// [DoTOTPBegin], [DoTOTPRemove], [DoRecoveryRenew] or [DoExport]. The password is
// changed at [PathPassword].
type AccountSecurity struct {
	Shell
	// Password says that there is one that can be changed here; PasswordAt when it
	// was, or the zero time.
	Password   bool
	PasswordAt time.Time
	Passkeys   []Passkey
	// NewPasskey is what the browser needs to make a passkey:
	// PublicKeyCredentialCreationOptions as JSON, by itself or as the member
	// "publicKey" of an object. "": passkeys are not offered.
	NewPasskey string
	// OffersTOTP says that authenticator apps are; TOTP that the user has one, and
	// TOTPSince since when.
	OffersTOTP, TOTP bool
	TOTPSince        time.Time
	// RecoveryCodes is how many are left, of those made at RecoveryAt.
	RecoveryCodes int
	RecoveryAt    time.Time
}

func (AccountSecurity) kind() kind { return kind{name: "accountsecurity"} }

// AccountTOTP enrols an authenticator app. It posts [FieldCode] with
// [DoTOTPConfirm].
type AccountTOTP struct {
	Shell
	// QR is the code to scan, row by row, true for dark; see [QRCode].
	QR [][]bool
	// Secret is the same for typing, in groups.
	Secret string
	// Cancel is the path to go to instead.
	Cancel string
}

func (AccountTOTP) kind() kind { return kind{name: "accounttotp"} }

// QRCode reads the modules of a QR code from a picture that has one pixel for
// each. It is drawn in the page, so that no picture has to be fetched.
func QRCode(picture image.Image) [][]bool {
	bounds := picture.Bounds()
	rows := make([][]bool, bounds.Dy())
	for y := range rows {
		rows[y] = make([]bool, bounds.Dx())
		for x := range rows[y] {
			gray, _ := color.GrayModel.Convert(picture.At(bounds.Min.X+x, bounds.Min.Y+y)).(color.Gray)
			rows[y][x] = gray.Y < 128
		}
	}
	return rows
}

// AccountRecovery shows new recovery codes, once.
type AccountRecovery struct {
	Shell
	Codes []string
	// Done is the path to go on to.
	Done string
}

func (AccountRecovery) kind() kind { return kind{name: "accountrecovery"} }
