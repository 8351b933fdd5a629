// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// maxTabs is how often somebody presses Tab before giving up.
const maxTabs = 40

// tabTo presses Tab until what has that accessible name has the focus, and sees on the
// way that whatever has it shows that.
func (b *tab) tabTo(name string) *tab {
	b.t.Helper()
	for range maxTabs {
		if b.focused() == name {
			return b
		}
		b.key(kb.Tab)
		if !evaluate[bool](b, focusShows) {
			b.t.Errorf("%q has the focus and does not show it", b.focused())
		}
	}
	b.t.Fatalf("no Tab leads to %q:\n%s", name, b)
	return nil
}

// focusShows tells whether what has the focus has an outline that the eye finds: the
// browser's own, or one of some width. The page as a whole, between the last thing and
// the first, needs none.
const focusShows = `(() => {
	const at = document.activeElement
	if (!at || at === document.body) return true
	const style = getComputedStyle(at)
	return at.matches(':focus-visible') && style.outlineStyle !== 'none' &&
		(style.outlineStyle === 'auto' || parseFloat(style.outlineWidth) >= 2)
})()`

// Ensure that somebody without a mouse signs in, narrows what an application asks for
// and allows the rest by the keyboard alone, and always sees where it is.
func TestBrowserKeyboard(t *testing.T) {
	g, _ := startShop(t)
	ann := chromium(t)
	ann.open(g.tls(shopHost, "/"))
	ann.leave("Enter", func() { ann.tabTo("Connect your account").key(kb.Enter) })
	ann.is(http.StatusOK, "Sign in")
	if at := ann.focused(); at != "User name" {
		t.Errorf("the sign-in page begins at %q", at)
	}
	ann.tabTo("User name").key("ann").tabTo("Password").key(annPassword)
	ann.leave("Enter", func() { ann.key(kb.Enter) })
	ann.is(http.StatusOK, "Example Shop asks for access to your account")
	ann.tabTo("Change your orders").key(" ")
	ann.until("the box is not ticked any more", func() bool { return !ann.ticked("Change your orders") })
	ann.leave("Space", func() { ann.tabTo("Allow").key(" ") })
	ann.is(http.StatusOK, "Example Shop").sees("Scope: orders:read").sees("GET orders: 200").sees("POST orders: 403")
}
