// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package consent

import (
	"context"

	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

// ListAll is [List] for all users, in the order of their subjects. It is for
// administration only.
func ListAll(ctx context.Context, db *tokenstore.DB, cursor tokenstore.Cursor, limit int) ([]*Consent, tokenstore.Cursor, error) {
	records, next, err := tokenstore.List[Consent](ctx, db, "", tokenstore.KindConsent, cursor, limit)
	consents := make([]*Consent, len(records))
	for i, r := range records {
		consents[i] = &r.Value
	}
	return consents, next, err
}
