// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

// Message is a sentence that handlers have pages say, in the reader's language.
type Message string

// What may be wrong with a form. Sentences are in the catalogues, as "message." + the value.
const (
	// MessageRefused: the one answer to unknown user, wrong password and disabled account.
	MessageRefused Message = "refused"
	// MessageSlow: too many attempts; try again in a while.
	MessageSlow Message = "slow"
	// MessageCode: the one-time code is not right, or was used before.
	MessageCode Message = "code"
	// MessageRecovery: the recovery code is not right, or was used before.
	MessageRecovery Message = "recovery"
	// MessagePasskey: the passkey could not be verified.
	MessagePasskey Message = "passkey"
	// MessageExpired: the page was open for too long, or in another browser; here it is again.
	MessageExpired Message = "expired"
	// MessageMissing: the field must be filled in.
	MessageMissing Message = "missing"
	// MessageInvalid: the field holds what cannot be accepted; [Fault.Detail] may say why.
	MessageInvalid Message = "invalid"
	// MessageTaken: the user name or address cannot be had.
	MessageTaken Message = "taken"
	// MessagePasswordShort: the new password is too short.
	MessagePasswordShort Message = "password_short"
	// MessagePasswordLong: the new password is too long.
	MessagePasswordLong Message = "password_long"
	// MessagePasswordSame: the new password is the old one.
	MessagePasswordSame Message = "password_same"
	// MessagePasswordDiffers: the two entries of the new password differ.
	MessagePasswordDiffers Message = "password_differs"
	// MessagePasswordWrong: the present password is not right.
	MessagePasswordWrong Message = "password_wrong"
	// MessageLimit: there are as many as there may be.
	MessageLimit Message = "limit"
	// MessageLastFactor: it cannot be removed while nothing else is left to sign in with.
	MessageLastFactor Message = "last_factor"
	// MessageConflict: it was changed by somebody else in the meantime.
	MessageConflict Message = "conflict"
	// MessageConfigured: it stands in the configuration and can only be changed there.
	MessageConfigured Message = "configured"

	// MessageLink: the one-time link has expired or was used before.
	MessageLink Message = "link"
	// MessageRedirect: the client asks for the answer at an address it has not registered.
	MessageRedirect Message = "redirect"
)

// ParameterDone is the parameter that names, in the address of a page of a signed-in
// user, the notice that it shows.
const ParameterDone = "done"

// What was done, as a notice on the page that follows.
const (
	MessageSaved           Message = "saved"
	MessageAccessRevoked   Message = "access_revoked"
	MessageSessionEnded    Message = "session_ended"
	MessageSessionsEnded   Message = "sessions_ended"
	MessagePasswordChanged Message = "password_changed"
	MessagePasskeyAdded    Message = "passkey_added"
	MessagePasskeyRemoved  Message = "passkey_removed"
	MessageTOTPAdded       Message = "totp_added"
	MessageTOTPRemoved     Message = "totp_removed"
	MessageClientDeleted   Message = "client_deleted"
	MessageUserDisabled    Message = "user_disabled"
	MessageUserEnabled     Message = "user_enabled"
	MessageUserRemoved     Message = "user_removed"
	MessageFactorsRemoved  Message = "factors_removed"
	MessageKeysRotated     Message = "keys_rotated"
)

// Messages lists all messages.
func Messages() []Message {
	return []Message{
		MessageRefused, MessageSlow, MessageCode, MessageRecovery, MessagePasskey, MessageExpired, MessageMissing, MessageInvalid,
		MessageTaken, MessagePasswordShort, MessagePasswordLong, MessagePasswordSame, MessagePasswordDiffers,
		MessagePasswordWrong, MessageLimit, MessageLastFactor, MessageConflict, MessageConfigured, MessageLink, MessageRedirect,
		MessageSaved, MessageAccessRevoked, MessageSessionEnded, MessageSessionsEnded, MessagePasswordChanged, MessagePasskeyAdded,
		MessagePasskeyRemoved, MessageTOTPAdded, MessageTOTPRemoved, MessageClientDeleted, MessageUserDisabled, MessageUserEnabled,
		MessageUserRemoved, MessageFactorsRemoved, MessageKeysRotated,
	}
}
