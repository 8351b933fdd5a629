// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Roles of what people type into, and of what they click.
var (
	typedInto = []string{"textbox", "searchbox", "spinbutton"}
	clicked   = []string{"button", "link", "checkbox", "radio", "DisclosureTriangle"}
)

// open goes to an address, as by typing it in, and waits until the page is complete.
func (b *tab) open(address string) *tab {
	b.t.Helper()
	at := call(b, page.Navigate, page.NavigateParams{URL: address})
	if at.ErrorText != "" {
		b.t.Fatalf("%s: %s", address, at.ErrorText)
	}
	b.until("a page is there that follows "+address, func() bool { return b.complete(at.LoaderID) })
	return b
}

// complete reports whether the page in the tab is, and whether a document came before
// it or is it.
func (b *tab) complete(document cdp.LoaderID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.came[document] && b.loaded[b.shown]
}

// press clicks what has that accessible name and waits for the page that this leads to.
func (b *tab) press(name string) *tab {
	b.t.Helper()
	return b.leave("pressing "+name, func() { b.click(name) })
}

// leave does something and waits until another page is there, and complete.
func (b *tab) leave(why string, do func()) *tab {
	b.t.Helper()
	b.mu.Lock()
	before := b.shown
	b.mu.Unlock()
	do()
	b.until("a page is there after "+why, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.shown != before && b.loaded[b.shown]
	})
	return b
}

// click clicks into the middle of what has that accessible name: a button, a link, a
// box to tick.
func (b *tab) click(name string) {
	b.t.Helper()
	node := b.find(name, clicked).BackendDOMNodeID
	call(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: node})
	quads := call(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: node}).Quads
	if len(quads) == 0 {
		b.t.Fatalf("%q is not to be seen: %s", name, b)
	}
	var x, y float64
	for corner := range slices.Chunk(quads[0], 2) {
		x, y = x+corner[0]/4, y+corner[1]/4
	}
	for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMouseMoved, input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
		event := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
		if kind != input.DispatchMouseEventTypeMouseMoved {
			event.Button, event.ClickCount = input.MouseButtonLeft, 1
		}
		call(b, input.DispatchMouseEvent, event)
	}
}

// tick makes the box of that name ticked, or not.
func (b *tab) tick(name string, on bool) *tab {
	b.t.Helper()
	if b.ticked(name) != on {
		b.click(name)
	}
	b.until(fmt.Sprintf("the box %q is ticked: %t", name, on), func() bool { return b.ticked(name) == on })
	return b
}

// ticked reports whether the box of that name is.
func (b *tab) ticked(name string) bool {
	b.t.Helper()
	for _, p := range b.find(name, []string{"checkbox", "radio"}).Properties {
		if p.Name == accessibility.PropertyNameChecked {
			return said(p.Value) == "true"
		}
	}
	return false
}

// fill types into the field with that label, in place of what stands there.
func (b *tab) fill(label, text string) *tab {
	b.t.Helper()
	node := b.find(label, typedInto).BackendDOMNodeID
	call(b, dom.Focus, dom.FocusParams{BackendNodeID: node})
	at := call(b, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node}).Object
	call(b, runtime.CallFunctionOn, runtime.CallFunctionOnParams{ObjectID: at.ObjectID, FunctionDeclaration: "function() { this.select() }"})
	call(b, input.InsertText, input.InsertTextParams{Text: text})
	return b
}

// key presses keys, of which kb has those that are no letters.
func (b *tab) key(keys string) *tab {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		b.t.Fatal(err)
	}
	return b
}

// focused returns the accessible name of what has the keyboard's focus.
func (b *tab) focused() string {
	b.t.Helper()
	at := call(b, runtime.Evaluate, runtime.EvaluateParams{Expression: "document.activeElement"}).Result
	for _, node := range call(b, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: at.ObjectID, FetchRelatives: new(bool)}).Nodes {
		return said(node.Name)
	}
	return ""
}

// find waits until exactly one thing with that accessible name and one of those roles
// is on the page, and returns it.
func (b *tab) find(name string, roles []string) *accessibility.Node {
	b.t.Helper()
	var found []*accessibility.Node
	b.until(fmt.Sprintf("there is exactly one %q (%s)", name, strings.Join(roles, ", ")), func() bool {
		found = b.named(name, roles)
		return len(found) == 1
	})
	return found[0]
}

// named returns all with that accessible name and one of those roles.
func (b *tab) named(name string, roles []string) []*accessibility.Node {
	b.t.Helper()
	document, err := try(b, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
	if err != nil {
		return nil // between two pages
	}
	tree, err := try(b, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document.Result.ObjectID, AccessibleName: name})
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(tree.Nodes, func(n *accessibility.Node) bool {
		return n.Ignored || n.Role == nil || !slices.Contains(roles, said(n.Role))
	})
}

// said is the text of a value in the accessibility tree.
func said(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var text any
	if err := json.Unmarshal(v.Value, &text); err != nil {
		return ""
	}
	return fmt.Sprint(text)
}

// sees waits until that text is on the page.
func (b *tab) sees(text string) *tab {
	b.t.Helper()
	b.until(fmt.Sprintf("it says %q", text), func() bool { return strings.Contains(b.text(), text) })
	return b
}

// is waits until the page has that status and headline.
func (b *tab) is(status int, headline string) *tab {
	b.t.Helper()
	b.until(fmt.Sprintf("the page is %d %q", status, headline), func() bool { return b.status() == status && b.headline() == headline })
	return b
}

// text is what can be read on the page.
func (b *tab) text() string { return evaluate[string](b, "document.body?.innerText ?? ''") }

// headline is the page's first.
func (b *tab) headline() string {
	return evaluate[string](b, "document.querySelector('h1')?.innerText ?? ''")
}

// status is the one that the page came with.
func (b *tab) status() int {
	return evaluate[int](b, "performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0")
}

// url is the page's address.
func (b *tab) url() *url.URL {
	b.t.Helper()
	u, err := url.Parse(evaluate[string](b, "location.href"))
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// String shows where the tab is, for messages.
func (b *tab) String() string {
	return fmt.Sprintf("%s, %d %q:\n%s\ncomplaints: %q", b.url(), b.status(), b.headline(), b.text(), b.complained())
}

// evaluate returns what an expression has for a value on the page, nothing between two
// pages. It works where a page's own scripts do not run.
func evaluate[T any](b *tab, expression string) (value T) {
	b.t.Helper()
	byValue := true
	r, err := try(b, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ReturnByValue: &byValue})
	if err != nil {
		return value
	}
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails.Text)
	}
	if err := json.Unmarshal(r.Result.Value, &value); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// withoutScripts switches JavaScript off, for the pages that come.
func (b *tab) withoutScripts() *tab {
	b.t.Helper()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return b
}

// until waits for a condition, and fails the test with what the tab shows.
func (b *tab) until(what string, ok func() bool) {
	b.t.Helper()
	if !waited(ok) {
		b.t.Fatalf("waited %v in vain until %s\n%s", patience, what, b)
	}
}
