// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is the one Chromium of this process. Tests have profiles of their own in it.
var browser struct {
	once sync.Once
	ctx  context.Context
	err  error
}

// startBrowser starts Chromium. It knows no host but this machine, by its own names and
// those of tests (*.test), and trusts no authority but the tests' own beside those it
// came with.
func startBrowser() {
	path, err := exec.LookPath("chromium")
	if err != nil {
		browser.err = errors.New("chromium is missing: install it (Debian: apt-get install chromium)")
		return
	}
	a, err := internalAuthority()
	if err != nil {
		browser.err = err
		return
	}
	ctx, _ := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-default-apps", true),
		chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		// Tabs behind others are as awake as the one in front.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("password-store", "basic"),
		chromedp.Flag("lang", "en-US"),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1, MAP *.localhost 127.0.0.1, EXCLUDE localhost, EXCLUDE 127.0.0.1, MAP * ^NOTFOUND"),
		chromedp.Flag("ignore-certificate-errors-spki-list", a.pin),
	)
	browser.ctx, _ = chromedp.NewContext(ctx)
	browser.err = chromedp.Do(browser.ctx)
}

// closeBrowser ends Chromium, if a test started it.
func closeBrowser() {
	if browser.ctx != nil {
		_ = chromedp.Cancel(browser.ctx)
	}
}

// tab is one tab of Chromium, in front of somebody who reads, clicks and types. What
// the browser complains about while it is open fails the test: errors of scripts,
// what a content security policy forbids, what a page needs and cannot be loaded.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu sync.Mutex
	// shown is the document in the tab; came are all that were, loaded those that
	// are complete.
	shown        cdp.LoaderID
	came, loaded map[cdp.LoaderID]bool
	// documents are the addresses that were asked for as documents.
	documents map[string]bool
	// complaints are what the browser has logged as errors.
	complaints []string
}

// chromium opens a tab in a profile of its own: no cookie of another test is in it.
func chromium(t testing.TB) *tab {
	t.Helper()
	browser.once.Do(startBrowser)
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	return openTab(t, browser.ctx, chromedp.WithNewBrowserContext())
}

// another opens one more tab in the same profile.
func (b *tab) another() *tab {
	b.t.Helper()
	return openTab(b.t, b.ctx)
}

func openTab(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t, came: make(map[cdp.LoaderID]bool), loaded: make(map[cdp.LoaderID]bool), documents: make(map[string]bool)}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.event))...)
	b.ctx = ctx
	t.Cleanup(func() {
		cancel()
		for _, complaint := range b.complained() {
			t.Errorf("Chromium complains: %s", complaint)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	// Each tab believes that it is the one that is typed into.
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return b
}

// event keeps what the tests want to know. It runs in the order of what happens.
func (b *tab) event(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *page.EventFrameNavigated:
		if e.Frame.ParentID == "" {
			b.shown = e.Frame.LoaderID
			b.came[b.shown] = true
		}
	case *page.EventLifecycleEvent:
		if e.Name == "load" {
			b.loaded[e.LoaderID] = true
		}
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			b.documents[e.Request.URL] = true
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.complaints = append(b.complaints, e.Entry.URL+" "+string(e.Entry.Source)+": "+e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text+" "+e.ExceptionDetails.URL)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			b.complaints = append(b.complaints, "console: "+string(e.Args[0].Value))
		}
	}
}

// complained returns what the browser complained about, except that a page's own
// status is an error, which Chromium calls a failure to load a resource.
func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	pages := slices.Collect(maps.Keys(b.documents))
	return slices.DeleteFunc(slices.Clone(b.complaints), func(complaint string) bool {
		return slices.ContainsFunc(pages, func(address string) bool {
			return strings.HasPrefix(complaint, address+" network: Failed to load resource")
		})
	})
}

// call has the tab execute a command of the DevTools protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	result, err := try(b, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// try is call for what may fail, because the page may be on its way to another.
func try[P, R any](b *tab, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if errors.Is(err, context.DeadlineExceeded) || b.ctx.Err() != nil {
		b.t.Fatal(fmt.Errorf("%s: Chromium does not answer: %w", command.Method, err))
	}
	return result, err
}
