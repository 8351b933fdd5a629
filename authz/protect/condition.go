// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package protect

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

const (
	// MaxConditions is the number of claims that one row may demand, and of
	// values of each, of groups and of authentication context classes.
	MaxConditions = 64
	// MaxConditionText is the length in bytes of the longest name or value of those.
	MaxConditionText = 256
	// MaxExpression is the length in bytes of the longest expression.
	MaxExpression = 4096
	// MaxMaxAge is the longest [Conditions].MaxAge, in seconds: ten years.
	MaxMaxAge = 10 * 365 * 24 * 3600
	// authTimeAhead is how far another issuer's clock may be ahead of ours.
	authTimeAhead = time.Minute
)

// Conditions are what a row demands of a principal beyond scopes. All that are
// given must be met.
//
// Who signed in too long ago or too weakly gets 401
// insufficient_user_authentication (RFC 9470 §3). Who is the wrong one gets 403
// insufficient_scope, without a scope that would help.
type Conditions struct {
	// Claims maps names of claims to values, one of which the claim must have, or
	// contain where it is a list. Numbers and booleans are compared as JSON
	// writes them. The names iss, sub, client_id and acr mean what the credential
	// itself states. At most [MaxConditions] names and values of each.
	Claims map[string][]string `json:"claims,omitempty"`
	// Groups are names of which the claim "groups" must contain one.
	Groups []string `json:"groups,omitempty"`
	// ACRValues are the authentication context classes (OpenID Connect Core §2)
	// one of which the sign-in must have had. At the guard's own issuer they are "1",
	// one factor, and "2", two, which is good for "1" too.
	ACRValues []string `json:"acr_values,omitempty"`
	// MaxAge is how long ago the user may have signed in, in seconds, at most
	// [MaxMaxAge]. Default: any time.
	MaxAge int64 `json:"max_age,omitempty"`
	// Expression is judged when all else is met; see [Config].Compile. Connections
	// that last are not judged by it again.
	Expression string `json:"expression,omitempty"`
}

// Expression reports whether a request from that principal meets the condition
// that it was compiled from. It is safe for concurrent use, changes neither, and
// an error is a no.
type Expression func(r *http.Request, p *authz.Principal) (bool, error)

var (
	errConditions     = authz.ErrInsufficientScope.Describe("The access token stands for somebody who may not do this.")
	errAuthentication = authz.ErrInsufficientUserAuthentication
)

// claimGroups is the claim that lists the groups of a user.
const claimGroups = "groups"

// Validate returns what is wrong with c, but for its expression.
func (c *Conditions) Validate() error {
	if len(c.Claims) > MaxConditions {
		return fmt.Errorf("a row demands at most %d claims", MaxConditions)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Claims)) {
		if err := checkTexts("claim "+name, append([]string{name}, c.Claims[name]...)); err != nil {
			return err
		}
		if len(c.Claims[name]) == 0 {
			return fmt.Errorf("claim %s needs a value, or several of which one must match", name)
		}
	}
	if err := errors.Join(checkTexts("group", c.Groups), checkTexts("acr", c.ACRValues)); err != nil {
		return err
	}
	for _, class := range c.ACRValues {
		if !isPrintable(class) || strings.ContainsAny(class, ` "\`) { // they are a list in the challenge
			return fmt.Errorf("acr: %q has a character that no challenge can name", class)
		}
	}
	switch {
	case c.MaxAge < 0 || c.MaxAge > MaxMaxAge:
		return fmt.Errorf("max_age is 1 second to %d", MaxMaxAge)
	case len(c.Expression) > MaxExpression:
		return fmt.Errorf("the expression is longer than %d bytes", MaxExpression)
	}
	return nil
}

func checkTexts(what string, texts []string) error {
	if len(texts) > MaxConditions+1 {
		return fmt.Errorf("%s: at most %d values", what, MaxConditions)
	}
	for _, text := range texts {
		if text == "" || len(text) > MaxConditionText {
			return fmt.Errorf("%s: names and values have 1 to %d bytes", what, MaxConditionText)
		}
	}
	return nil
}

// String returns the conditions as they are written in a Caddyfile, separated
// by commas.
func (c *Conditions) String() string {
	if c == nil {
		return ""
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c.Claims)) {
		list = append(list, "claim "+name+" "+strings.Join(c.Claims[name], " "))
	}
	if len(c.Groups) > 0 {
		list = append(list, "group "+strings.Join(c.Groups, " "))
	}
	if len(c.ACRValues) > 0 {
		list = append(list, "acr "+strings.Join(c.ACRValues, " "))
	}
	if c.MaxAge > 0 {
		list = append(list, "max_age "+(time.Duration(c.MaxAge)*time.Second).String())
	}
	if c.Expression != "" {
		list = append(list, "expression "+c.Expression)
	}
	return strings.Join(list, ", ")
}

// refusal judges a principal by all conditions but the expression. own: the issuer's
// classes are ours, of which one is stronger than the other. It does not allocate, but
// for claims that are numbers.
func (c *Conditions) refusal(p *authz.Principal, own bool, now time.Time) *authz.Error {
	switch {
	case len(c.ACRValues) > 0 && !slices.Contains(c.ACRValues, p.ACR) && !(own && stronger(p.ACR, c.ACRValues)):
		return errAuthentication
	case c.MaxAge > 0 && !c.recent(p.AuthTime, now):
		return errAuthentication
	case len(c.Groups) > 0 && !matches(p.Claims[claimGroups], c.Groups):
		return errConditions
	}
	for name, values := range c.Claims {
		if !matches(claimOf(p, name), values) {
			return errConditions
		}
	}
	return nil
}

// stronger reports whether a class of ours is stronger than one of those wanted.
func stronger(class string, wanted []string) bool {
	return class == authz.ACRTwoFactors && slices.Contains(wanted, authz.ACROneFactor)
}

// recent reports whether a sign-in is not too long ago. One that is yet to come
// would stay recent for as long as its issuer likes.
func (c *Conditions) recent(signIn, now time.Time) bool {
	ago := now.Sub(signIn)
	return !signIn.IsZero() && ago <= time.Duration(c.MaxAge)*time.Second && ago >= -authTimeAhead
}

// claimOf returns a fact of p by its name as a claim (RFC 9068 §2.2), or nil.
// What p itself states goes before what is among its claims.
func claimOf(p *authz.Principal, name string) any {
	switch name {
	case "iss":
		return p.Issuer
	case "sub":
		return p.Subject
	case "client_id":
		return p.Client
	case "acr":
		return p.ACR
	}
	return p.Claims[name]
}

// matches reports whether a claim is, or contains, one of the values.
func matches(claim any, values []string) bool {
	switch claim := claim.(type) {
	case string:
		return slices.Contains(values, claim)
	case []string:
		return slices.ContainsFunc(claim, func(s string) bool { return slices.Contains(values, s) })
	case []any:
		return slices.ContainsFunc(claim, func(item any) bool {
			text, ok := claimText(item)
			return ok && slices.Contains(values, text)
		})
	}
	text, ok := claimText(claim)
	return ok && slices.Contains(values, text)
}

// maxExact is from where on float64 has no room for every whole number.
const maxExact = 1 << 53

// claimText returns a claim that is one value as text. Lists and objects are
// none, nor is what is not there, nor a number that has lost digits on the way.
func claimText(claim any) (text string, ok bool) {
	switch claim := claim.(type) {
	case string:
		return claim, true
	case bool:
		return strconv.FormatBool(claim), true
	case int64:
		return strconv.FormatInt(claim, 10), true
	case uint64: // as CBOR decodes what is not negative
		return strconv.FormatUint(claim, 10), true
	case float64: // as JSON decodes numbers
		if math.Abs(claim) >= maxExact && claim == math.Trunc(claim) {
			return "", false // another number may have been meant
		}
		return strconv.FormatFloat(claim, 'f', -1, 64), true
	case fmt.Stringer: // such as json.Number
		return claim.String(), true
	}
	return "", false
}

// agree asks the expression of a row.
func (e *entry) agree(r *http.Request, p *authz.Principal) *authz.Error {
	if e.expression == nil {
		return nil
	}
	if yes, err := e.expression(r, p); err != nil {
		return errConditions.Because(err)
	} else if !yes {
		return errConditions
	}
	return nil
}
