// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// Fact is something about the caller that a header can tell the upstream: one of
// the constants, or "claim." and the name of a claim. Of a claim that is a list
// the values are told, separated by commas; one that is an object is not told.
type Fact string

// Facts for headers. A fact that is empty sets no header. For a machine's
// token subject and username are empty: a client's id is nobody's subject.
const (
	FactSubject  Fact = "subject"
	FactUsername Fact = "username"
	FactClient   Fact = "client"
	// FactScope is the scopes that the caller has now: the token's, cut to
	// the client's present ones, separated by spaces.
	FactScope Fact = "scope"
	// FactIssuer is the authorization server that vouches for the caller.
	FactIssuer Fact = "issuer"
	// FactGroups is the claim groups.
	FactGroups Fact = "groups"
	// FactGrant is the id of the grant that the credential comes from.
	FactGrant Fact = "grant_id"
	// FactExpires is when the credential ends, in seconds since 1970.
	FactExpires Fact = "expires_at"
)

// facts are all constants, as errors name them.
var facts = []Fact{FactSubject, FactUsername, FactClient, FactScope, FactIssuer, FactGroups, FactGrant, FactExpires}

// factClaim is how the fact begins that is a claim.
const factClaim = "claim."

// check returns what is wrong with f.
func (f Fact) check() error {
	if name, ok := strings.CutPrefix(string(f), factClaim); ok && name != "" && len(name) <= MaxConditionText || slices.Contains(facts, f) {
		return nil
	}
	names := make([]string, len(facts))
	for i, known := range facts {
		names[i] = string(known)
	}
	return fmt.Errorf("%q is no fact: use %s or claim.NAME", f, strings.Join(names, ", "))
}

// value returns the fact about p as [Upstream] says, or "".
func (f Fact) value(p *authz.Principal) string {
	switch f {
	case FactSubject:
		return encodeValue(p.Subject)
	case FactUsername:
		if p.Subject == "" {
			return "" // a machine: whatever it is called, it is no user
		}
		return encodeValue(p.Username)
	case FactClient:
		return encodeValue(p.Client)
	case FactScope:
		return encodeValue(p.Scopes.String())
	case FactIssuer:
		return encodeValue(p.Issuer)
	case FactGroups:
		return encodeClaim(p.Claims[claimGroups])
	case FactGrant:
		return encodeValue(p.Grant)
	case FactExpires:
		return strconv.FormatInt(p.Expires.Unix(), 10)
	}
	return encodeClaim(claimOf(p, strings.TrimPrefix(string(f), factClaim)))
}

// encodeClaim makes a claim safe for a header. The commas between the values of a
// list are the only ones.
func encodeClaim(claim any) string {
	var b strings.Builder
	add := func(item any) {
		text, ok := claimText(item)
		if !ok || text == "" || b.Len() > MaxValue { // longer will be refused
			return
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(encodeValue(text))
	}
	switch claim := claim.(type) {
	case []string:
		for _, item := range claim {
			add(item)
		}
	case []any:
		for _, item := range claim {
			add(item)
		}
	default:
		add(claim)
	}
	return b.String()
}

// encodeValue makes a value safe for a header, as [Upstream] says. Ordinary
// values are returned as they are.
func encodeValue(value string) string {
	for i := range len(value) {
		if !plainInValue(value, i) {
			return encodeSlowly(value)
		}
	}
	return value
}

func plainInValue(value string, i int) bool {
	c := value[i]
	return c > 0x20 && c < 0x7f && c != '%' && c != ',' || c == ' ' && i > 0 && i < len(value)-1
}

func encodeSlowly(value string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; plainInValue(value, i) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
		if b.Len() > MaxValue {
			break // it will be refused
		}
	}
	return b.String()
}
