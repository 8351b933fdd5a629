// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import "testing"

// Ensure that brand and style of one's own can be seen on every kind of page, and that
// a logo can which says nothing of its size, as drawings often do. The browser would
// complain of what a page's policy forbids.
func TestBrowserBrand(t *testing.T) {
	g, _ := startBranded(t)
	ada := chromium(t)
	for name, address := range map[string]string{
		"signin": g.url("localhost", "/as/signin"), "error-code": g.url("localhost", "/as/errors/denied"), "refusal": g.url("api.localhost", "/x"),
	} {
		ada.open(address).legible("brand-" + name)
		box := evaluate[[2]float64](ada, `(() => { const b = document.querySelector("img.logo").getBoundingClientRect(); return [b.width, b.height] })()`)
		if box[0] < 100 || box[0] > 4.1*box[1] || box[0] < 3.9*box[1] {
			t.Errorf("%s: the logo, four times as wide as high, is %v pixels", name, box)
		}
		if colour := evaluate[string](ada, `getComputedStyle(document.querySelector("h1")).color`); colour != "rgb(102, 51, 153)" {
			t.Errorf("%s: the headline is %s", name, colour)
		}
	}
}
