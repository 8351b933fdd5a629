// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// pageSize is how many entries a list shows at a time.
	pageSize = 50
	// searched is how many records are looked through at a time where no index leads
	// to what is searched for. The rest is on the next page.
	searched = tokenstore.MaxList
)

// pathAdminUser is the page of one user, whom [querySubject] names.
const pathAdminUser = "/admin/user"

// adminPages adds the pages for administrators.
func (s *Server) adminPages() {
	search := func(more map[string]func(*visit) error) map[string]func(*visit) error {
		all := map[string]func(*visit) error{pages.DoSearch: (*visit).search}
		for name, do := range more {
			all[name] = do
		}
		return all
	}
	s.add(page{path: "/admin", admin: true, show: func(v *visit) error { return v.redirect(v.config.Prefix + pages.PathAdminUsers) }})
	s.add(page{path: pages.PathAdminUsers, admin: true, show: (*visit).showUsers, do: search(nil)})
	s.add(page{path: pathAdminUser, admin: true, show: (*visit).showUser, do: userActions})
	s.add(page{path: pages.PathAdminClients, admin: true, show: (*visit).showClients, do: search(map[string]func(*visit) error{
		pages.DoDisable: (*visit).disableClient, pages.DoEnable: (*visit).enableClient, pages.DoRevoke: (*visit).revokeClient,
	})})
	s.add(page{path: pages.PathAdminGrants, admin: true, show: (*visit).showGrants, do: search(map[string]func(*visit) error{
		pages.DoRevoke: (*visit).revokeGrant,
	})})
	s.add(page{path: pages.PathAdminSessions, admin: true, show: (*visit).showAllSessions, do: search(map[string]func(*visit) error{
		pages.DoEnd: (*visit).endSomeSession,
	})})
	s.add(page{path: pages.PathAdminAudit, admin: true, show: (*visit).showAudit, do: search(nil)})
	if s.config.Keys != nil {
		s.add(page{path: pages.PathAdminKeys, admin: true, show: (*visit).showKeys, do: map[string]func(*visit) error{
			pages.DoRotate: (*visit).rotateKeys,
		}})
	}
}

// search leads to the list of what is searched for.
func (v *visit) search() error {
	text := v.field(pages.FieldSearch)
	if text == "" || len(text) > maxQuery {
		return v.redirect(v.page.path)
	}
	return v.redirect(target(v.page.path, url.Values{querySearch: {text}}))
}

// listing is what a list shows around its entries. next is where it goes on, ""
// at the end.
func (v *visit) listing(next string) pages.Listing {
	l := pages.Listing{Search: v.query(querySearch)}
	q := url.Values{}
	if l.Search != "" {
		q.Set(querySearch, l.Search)
	}
	if v.query(queryAfter) != "" {
		l.First = target(v.page.path, q)
	}
	if next != "" {
		q.Set(queryAfter, next)
		l.Next = target(v.page.path, q)
	}
	return l
}

// cursor is where the list goes on that the URL asks for. One that is none of this
// list is an error of the store's, which tells the beginning by "".
func (v *visit) cursor(prefix tokenstore.Key) tokenstore.Cursor {
	decoded, err := base64.RawURLEncoding.DecodeString(v.query(queryAfter))
	if err != nil || !strings.HasPrefix(string(decoded), string(prefix)) {
		return ""
	}
	return tokenstore.Cursor(decoded)
}

// after is the reverse of cursor.
func after(c tokenstore.Cursor) string { return base64.RawURLEncoding.EncodeToString([]byte(c)) }

// contains reports whether a text has a part, without regard to case. Every text
// has the empty one.
func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
