// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"flag"
	"os"
	"path/filepath"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
)

// screenshots is a folder for pictures of the pages that tests come by, to look at:
//
//	go test ./module/systemtest -run Browser -screenshots /tmp/pages
var screenshots = flag.String("screenshots", "", "the `folder` for pictures of pages, none without")

// screenshot takes pictures of the page, light and dark, on a desktop and on a phone,
// as NAME-desktop-light.png and so on.
func (b *tab) screenshot(name string) *tab {
	b.t.Helper()
	if *screenshots == "" {
		return b
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		b.t.Fatal(err)
	}
	for size, metrics := range map[string]emulation.SetDeviceMetricsOverrideParams{
		"desktop": {Width: 1280, Height: 800, DeviceScaleFactor: 1},
		"phone":   {Width: 390, Height: 844, DeviceScaleFactor: 2, Mobile: true},
	} {
		call(b, emulation.SetDeviceMetricsOverride, metrics)
		for _, scheme := range []string{"light", "dark"} {
			call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				// So that no colour is between the two.
				{Name: "prefers-reduced-motion", Value: "reduce"},
			}})
			// All of the page, also what one would scroll to.
			whole := true
			content := call(b, page.GetLayoutMetrics, cdp.Empty{}).CSSContentSize
			picture := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{
				CaptureBeyondViewport: &whole,
				Clip:                  &page.Viewport{Width: content.Width, Height: max(content.Height, float64(metrics.Height)), Scale: 1},
			})
			if err := os.WriteFile(filepath.Join(*screenshots, name+"-"+size+"-"+scheme+".png"), picture.Data, 0o644); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	call(b, emulation.ClearDeviceMetricsOverride, cdp.Empty{})
	return b
}
