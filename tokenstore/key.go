// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package tokenstore

import "fmt"

// MaxRealm is the longest name of a realm, in bytes: its length is one byte of
// every key.
const MaxRealm = 255

// Kind is what a record is. It is part of every key, so that records of one
// kind lie together, and of every MAC, so that none passes for another.
type Kind byte

// Kinds of records. The values are on disk: they are never renumbered.
const (
	// KindMeta: what the store knows of itself: identity, clock, audit heads.
	KindMeta Kind = 'M'
	// KindExpiry: an entry of the expiry index.
	KindExpiry Kind = 'X'
	// KindAudit: an entry of the audit ring.
	KindAudit Kind = 'A'
	// KindStore: the store's own anchor.
	KindStore Kind = 'S'
	// KindClient: a registered client.
	KindClient Kind = 'c'
	// KindClientAnchor: the anchor of a client, wherever the client is configured.
	KindClientAnchor Kind = 'C'
	// KindUserAnchor: the anchor of a user.
	KindUserAnchor Kind = 'U'
	// KindSessionAnchor: the anchor of a session.
	KindSessionAnchor Kind = 'I'
	// KindConsentAnchor: the anchor of a consent.
	KindConsentAnchor Kind = 'N'
	// KindGrant: a grant; the record is its own anchor and changes only by revocation.
	KindGrant Kind = 'G'
	// KindCredential: a token or code, under the digest of its text.
	KindCredential Kind = 'T'
	// KindSealed: something that must be recoverable, sealed.
	KindSealed Kind = 'E'
	// KindUsage: when something was last used.
	KindUsage Kind = 'L'
	// KindSpent: the mark of something that counts once and was used, such as the
	// id of an assertion, under a digest of it.
	KindSpent Kind = 'P'
	// KindRevoked: the mark that something which is not in the store itself, such as
	// a signed token, was revoked before its time.
	KindRevoked Kind = 'R'
	// KindUser: a user's account, under the subject.
	KindUser Kind = 'u'
	// KindUserName: whose account a user name or e-mail address is, under its canonical form.
	KindUserName Kind = 'm'
	// KindUserSource: whose account an account at another source is.
	KindUserSource Kind = 'o'
	// KindFactor: what a user has to sign in with beside a password, under the subject.
	KindFactor Kind = 'f'
	// KindBrowser: who is signed in in a browser, under the digest of its cookie.
	KindBrowser Kind = 'b'
	// KindSession: what is known of a session, under subject and session id. The
	// anchor is apart, because this record changes.
	KindSession Kind = 'i'
	// KindConsent: what a user allows a client, under subject and client id. The
	// anchor is apart, because a consent may be widened.
	KindConsent Kind = 'n'
	// KindCode: an authorization code, also one that was spent, under the digest of its text.
	KindCode Kind = 'd'
	// KindRotated: a refresh token that was spent, under the digest of its text.
	KindRotated Kind = 'r'
	// KindTicket: something else that is handed out and counts once, under the digest of its text.
	KindTicket Kind = 'k'
	// KindOwned: which clients a user has registered, under the subject.
	KindOwned Kind = 'w'
)

// kinds lists all of them with the names that figures show.
var kinds = map[Kind]string{
	KindMeta: "meta", KindExpiry: "expiry", KindAudit: "audit", KindStore: "store_anchor",
	KindClient: "client", KindClientAnchor: "client_anchor", KindUserAnchor: "user_anchor",
	KindSessionAnchor: "session_anchor", KindConsentAnchor: "consent_anchor",
	KindGrant: "grant", KindCredential: "credential", KindSealed: "sealed", KindUsage: "usage", KindSpent: "spent",
	KindRevoked: "revoked", KindUser: "user", KindUserName: "user_name", KindUserSource: "user_source", KindFactor: "factor",
	KindBrowser: "browser", KindSession: "session", KindConsent: "consent", KindCode: "code", KindRotated: "rotated", KindTicket: "ticket",
	KindOwned: "owned",
}

// String is the kind's name, fit for a metric label.
func (k Kind) String() string {
	if name, ok := kinds[k]; ok {
		return name
	}
	return "unknown"
}

// Key names a record: len(realm) as one byte, realm, kind as one byte, id. It
// is binary-safe and ordered bytewise. A realm separates what must never meet
// though it shares a store; the default realm is the empty one.
type Key string

// NewKey builds a key. It panics on a realm longer than [MaxRealm]: realms are
// names in a configuration, and checked there.
func NewKey(realm string, kind Kind, id string) Key {
	if len(realm) > MaxRealm {
		panic(fmt.Sprintf("tokenstore: a realm's name of %d bytes", len(realm)))
	}
	b := make([]byte, 0, 2+len(realm)+len(id))
	b = append(b, byte(len(realm)))
	b = append(b, realm...)
	b = append(b, byte(kind))
	b = append(b, id...)
	return Key(b)
}

// CredentialKey is the key of the token or code whose SHA-256 is digest, in the
// default realm.
func CredentialKey(digest [32]byte) Key {
	var b [2 + 32]byte
	b[1] = byte(KindCredential)
	copy(b[2:], digest[:])
	return Key(b[:])
}

// GrantKey is the key of a grant in the default realm.
func GrantKey(id string) Key { return NewKey("", KindGrant, id) }

// ClientKey is the key of a registered client's record in the default realm.
func ClientKey(id string) Key { return NewKey("", KindClient, id) }

// ClientAnchorKey is the key of a client's anchor in the default realm.
func ClientAnchorKey(id string) Key { return NewKey("", KindClientAnchor, id) }

// UserAnchorKey is the key of a user's anchor in the default realm.
func UserAnchorKey(subject string) Key { return NewKey("", KindUserAnchor, subject) }

// SessionAnchorKey is the key of a session's anchor in the default realm.
func SessionAnchorKey(id string) Key { return NewKey("", KindSessionAnchor, id) }

// ConsentAnchorKey is the key of a consent's anchor in the default realm.
func ConsentAnchorKey(id string) Key { return NewKey("", KindConsentAnchor, id) }

// SpentKey is the key of the mark of what was used once and is named by digest,
// in the default realm.
func SpentKey(digest [32]byte) Key { return NewKey("", KindSpent, string(digest[:])) }

// RevokedKey is the key of the mark that what has this id was revoked, in the
// default realm. See [Derived].
func RevokedKey(id string) Key { return NewKey("", KindRevoked, id) }

// valid says whether k has the layout of a key.
func (k Key) valid() bool { return len(k) >= 2 && len(k) >= 2+int(k[0]) }

// Realm is the realm's name; empty when k is not a key.
func (k Key) Realm() string {
	if !k.valid() {
		return ""
	}
	return string(k[1 : 1+int(k[0])])
}

// Kind is the record's kind; zero when k is not a key.
func (k Key) Kind() Kind {
	if !k.valid() {
		return 0
	}
	return Kind(k[1+int(k[0])])
}

// ID is what tells the record from others of its realm and kind; empty when k is
// not a key.
func (k Key) ID() string {
	if !k.valid() {
		return ""
	}
	return string(k[2+int(k[0]):])
}

// String names realm and kind only: an id may be a digest of a credential, or a
// person's, and keys end up in logs.
func (k Key) String() string { return k.Realm() + "/" + k.Kind().String() }
