// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz/client"
	"github.com/caddy-oauth2/caddy-oauth2/authz/protect"
)

// The documents of the admin API, which `caddy oauth2 … --json` prints as they
// are. Fields may be added; none is renamed, and none changes its meaning.
// Times are RFC 3339 in UTC, durations are texts such as "1h30m", words are
// those of the JSON configuration.

// secretText is a token or a secret in a document. It goes into JSON as it is,
// and into nothing else.
type secretText string

// String hides the secret.
func (secretText) String() string { return "***" }

// GoString hides the secret.
func (secretText) GoString() string { return "***" }

// clientSource says where a client is configured.
type clientSource string

const (
	fromCaddyfile clientSource = "caddyfile" // the configuration, however it was written
	fromStore     clientSource = "store"     // the admin API
)

// clientView is a client as the admin API shows it: its metadata, defaults
// filled in, and no secret.
type clientView struct {
	client.Client
	Source clientSource `json:"source"`
	// Hidden: the configuration has a client of the same id, which counts
	// instead of this one of the store.
	Hidden bool `json:"hidden,omitempty"`
	// Secrets lists the secrets that hold, the newest first, by what may be
	// known of them.
	Secrets []secretView `json:"secrets,omitempty"`
	// LastUsed is when the client, or a token of its, was last accepted, to the
	// minute; absent when it was not within the last 400 days.
	LastUsed *time.Time `json:"last_used,omitempty"`
}

// secretView is what may be known of a client's secret.
type secretView struct {
	// Until is when a rotated secret ends; null for one that does not end.
	Until *time.Time `json:"until"`
}

// clientList is a page of clients; an empty Cursor ends the list.
type clientList struct {
	Clients []clientView `json:"clients"`
	Cursor  string       `json:"cursor,omitempty"`
}

// clientAddition asks for a new client.
type clientAddition struct {
	client.Client
	// Secret is one that exists already, of at least 32 characters. Absent: one
	// is made.
	Secret secretText `json:"secret,omitempty"`
}

// clientSecret answers what made a secret: the only time that it is shown.
type clientSecret struct {
	Client clientView `json:"client"`
	// Secret is absent for a client without one (auth_method "none").
	Secret secretText `json:"secret,omitempty"`
}

// secretRotation asks for a new secret.
type secretRotation struct {
	// Overlap is how long the old secret still holds; absent means a day, "0s"
	// ends it at once.
	Overlap *client.Duration `json:"overlap,omitempty"`
	// Secret is one that exists already, of at least 32 characters. Absent: one
	// is made.
	Secret secretText `json:"secret,omitempty"`
	// AuthMethod is how the client authenticates from now on. If that is another
	// way than so far, all its secrets and keys so far end. Absent: as so far.
	AuthMethod string `json:"auth_method,omitempty"`
}

// clientEnding answers the removal of a client, or of all its tokens.
type clientEnding struct {
	ID string `json:"id"`
	// Removed: the client is gone. False where only its tokens were revoked.
	Removed bool `json:"removed"`
	Revoked bool `json:"revoked"`
}

// tokenOrder asks for an access token without a token request.
type tokenOrder struct {
	Client    string   `json:"client"`
	Scopes    []string `json:"scopes,omitempty"`
	Resources []string `json:"resources,omitempty"`
	// Lifetime of the token; absent means the client's.
	Lifetime client.Duration `json:"lifetime,omitempty"`
}

// tokenIssued answers a tokenOrder: the only time that the token is shown.
type tokenIssued struct {
	AccessToken secretText `json:"access_token"`
	TokenType   string     `json:"token_type"`
	Expires     time.Time  `json:"expires"`
	Scopes      []string   `json:"scopes"`
	Audience    []string   `json:"audience"`
	Grant       string     `json:"grant"`
}

// tokenNamed carries a token to be inspected or revoked.
type tokenNamed struct {
	Token secretText `json:"token"`
}

// tokenView is what a token stands for; of a token that is not active nothing
// but that is told.
type tokenView struct {
	Active   bool       `json:"active"`
	Kind     string     `json:"kind,omitempty"`
	Client   string     `json:"client,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	Scopes   []string   `json:"scopes,omitempty"`
	Audience []string   `json:"audience,omitempty"`
	Grant    string     `json:"grant,omitempty"`
	IssuedAt *time.Time `json:"issued_at,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
}

// tokenRevoked answers a revocation. Revoked is false when the token had already
// ended: then there was nothing to do.
type tokenRevoked struct {
	Revoked bool   `json:"revoked"`
	Grant   string `json:"grant,omitempty"`
}

// grantView is a grant that has not ended.
type grantView struct {
	ID        string     `json:"id"`
	GrantType string     `json:"grant_type"`
	Client    string     `json:"client"`
	Subject   string     `json:"subject,omitempty"`
	Scopes    []string   `json:"scopes"`
	Audience  []string   `json:"audience,omitempty"`
	IssuedAt  time.Time  `json:"issued_at"`
	Expires   *time.Time `json:"expires,omitempty"`
}

// grantList is a page of grants; an empty Cursor ends the list. A page may be
// short, even empty, while the list goes on.
type grantList struct {
	Grants []grantView `json:"grants"`
	Cursor string      `json:"cursor,omitempty"`
}

// grantRevoked answers the revocation of a grant.
type grantRevoked struct {
	ID      string `json:"id"`
	Revoked bool   `json:"revoked"`
}

// keyView is a key by its fingerprint.
type keyView struct {
	// Use is "seal" for a key that seals; "access" for one that signs access
	// tokens, "identity" for one that signs what upstreams are told.
	Use string `json:"use"`
	// Fingerprint of a key that signs is its kid.
	Fingerprint string `json:"fingerprint"`
	// Algorithm is what a key signs with; absent for one that seals.
	Algorithm string `json:"alg,omitempty"`
	// State is "active" for the one key that seals or signs. Of those that seal,
	// "opens" is for older ones that something is still sealed with, "unused" for
	// older ones that can go. Of those that sign, "next" is published and will
	// sign, "old" has signed something that may still be valid.
	State string `json:"state"`
	// Since is when the key came, or will come, into use.
	Since *time.Time `json:"since,omitempty"`
	// Until is when a key that signs is published no more; absent while no other
	// follows it.
	Until *time.Time `json:"until,omitempty"`
}

// keyList lists the configured keys, the active one first.
type keyList struct {
	Keys []keyView `json:"keys"`
}

// keyRotation asks for a rotation, of one of the two.
type keyRotation struct {
	// Seal: seal anew, under the first key of seal_key, what older keys sealed.
	Seal bool `json:"seal,omitempty"`
	// Signing: bring in new keys that sign, published for ten minutes before.
	Signing bool `json:"signing,omitempty"`
	// Now: let them sign at once.
	Now bool `json:"now,omitempty"`
	// Revoke: let them sign at once, and refuse all that older ones signed.
	Revoke bool `json:"revoke,omitempty"`
}

// keyRotated answers a step of a rotation, which ends with Finished: until then
// the same request goes on where this one stopped.
type keyRotated struct {
	Resealed int `json:"resealed"`
	// Rotated is how many signing keys were brought in.
	Rotated int `json:"rotated,omitempty"`
	// Remaining is how many values there are still to look at, as far as known.
	Remaining int  `json:"remaining"`
	Finished  bool `json:"finished"`
}

// auditView is an entry of the audit ring.
type auditView struct {
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
	Event     string    `json:"event"`
	Outcome   string    `json:"outcome"`
	Reason    string    `json:"reason,omitempty"`
	GrantType string    `json:"grant_type,omitempty"`
	Client    string    `json:"client,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Grant     string    `json:"grant,omitempty"`
	Actor     string    `json:"actor,omitempty"`
	Request   string    `json:"request,omitempty"`
}

// auditList is a page of the audit ring, newest first; Before, unless 0, asks
// for the next.
type auditList struct {
	Entries []auditView `json:"entries"`
	Before  uint64      `json:"before,omitempty"`
}

// explainOrder asks what the guards would demand of a request.
type explainOrder struct {
	Method string `json:"method"`
	URL    string `json:"url"`
}

// explanation is what the guards demand of a request.
type explanation struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Sites  []siteExplanation `json:"sites"`
}

// siteExplanation is what one guard demands of a request.
type siteExplanation struct {
	// Site is the origin asked for, or "any address" where the guard's site has
	// none of its own.
	Site string `json:"site"`
	protect.Explanation
}

// statsView holds figures of the app in force and of its store. Counts are since
// the store was opened.
type statsView struct {
	Issuer            string `json:"issuer"`
	ConfiguredClients int    `json:"configured_clients"`
	Guards            int    `json:"guards"`
	// Records are approximate numbers of the store's records by kind; absent
	// until they have been counted for the first time.
	Records      map[string]int64 `json:"records,omitempty"`
	FileBytes    int64            `json:"file_bytes"`
	FreeBytes    int64            `json:"free_bytes"`
	CacheEntries int              `json:"cache_entries"`
	CacheHits    uint64           `json:"cache_hits"`
	CacheMisses  uint64           `json:"cache_misses"`
	Commits      uint64           `json:"commits"`
	Swept        uint64           `json:"swept"`
	LastSweep    *time.Time       `json:"last_sweep,omitempty"`
	// Damaged counts refusals of damaged records: anything but 0 is an alarm.
	Damaged uint64 `json:"damaged"`
	// Relaxed lists, in sentences for people, what is configured less strict
	// than the defaults, also of clients of the store; absent when nothing is.
	Relaxed []string `json:"relaxed,omitempty"`
}
