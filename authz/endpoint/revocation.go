// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/granttype"
	"github.com/caddy-oauth2/caddy-oauth2/authz/token"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// revocation is a revocation request under way.
type revocation struct {
	*exchange
	raw string
}

// revoke is the revocation endpoint (RFC 7009). A client ends its own tokens
// there: an access token alone, a refresh token with its whole grant. The
// answer is an empty JSON object, because some clients parse it.
func (s *Server) revoke(x *exchange) error {
	x.event.Type = authz.EventTokenRevoked
	v := &revocation{exchange: x}
	ctx := x.r.Context()
	if err := run(ctx, []step{
		{"read the form", v.read},
	}); err != nil {
		return err
	}
	return runAgain(ctx, []step{
		{"authenticate the client", v.authenticate},
		{"read the token", v.readToken},
		{"revoke", v.revoke},
		{"answer", v.tell},
	})
}

// readToken takes the token; token_type_hint is not needed to find it and so is
// passed over, whatever it says (§2.1).
func (v *revocation) readToken(context.Context) (err error) {
	if v.raw, err = v.parameter(authz.ParamToken); err != nil {
		return err
	}
	if kind, ok := token.Check(v.raw); ok && kind != token.Access && kind != token.Refresh {
		return authz.ErrUnsupportedTokenType // §2.2.1
	}
	return nil
}

func (v *revocation) revoke(ctx context.Context) error {
	db, err := v.server.config.Store(ctx)
	if err != nil {
		return err
	}
	change := db.NewChange()
	t, err := v.find(ctx, db, change)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil // §2.2: there is nothing to revoke, so the client has what it wants
	}
	if err != nil {
		return err
	}
	if t.Client != v.client.ID {
		// §2.1: "If this validation fails, the request is refused and the client is informed of the error".
		return authz.ErrInvalidGrant.Describe("The token was issued to another client.")
	}
	v.event.Subject, v.event.Grant, v.event.Actor = t.Subject, t.Grant, t.Client
	v.client.Expect(change)
	if t.Kind == token.Refresh || t.Subject == "" {
		// §2.1: with a refresh token all tokens of its grant end. A machine's grant
		// is over with its one token.
		change.Revoke(tokenstore.GrantKey(t.Grant))
	}
	change.Audit(v.auditEntry())
	return v.commit(ctx, db, change)
}

// find finds the token and makes change end it. A refresh token that was replaced
// stands for its grant: a client to which the successor was never delivered has no other.
func (v *revocation) find(ctx context.Context, db *tokenstore.DB, change *tokenstore.Change) (*token.Record, error) {
	rec, err := v.server.verifier.Find(ctx, v.raw)
	if errors.Is(err, authz.ErrInvalidToken) {
		return granttype.Replaced(ctx, db, v.raw)
	}
	if err != nil {
		return nil, err
	}
	v.server.verifier.FormatOf(v.raw).End(change, rec)
	return &rec.Value, nil
}

func (v *revocation) tell(context.Context) error {
	v.answer = struct{}{}
	return nil
}
