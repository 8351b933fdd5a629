// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package site carries a sign-in at the issuer over to the sites that a guard stands
// before, each on a host of its own, whose cookies nobody else's host sees.
//
// A browser makes one round:
//
//	Begin      at the site: where to come back to goes along, sealed, for this browser
//	ServeHTTP  at the issuer: whoever is signed in gets a one-time ticket for that site
//	Arrive     at the site: the ticket buys the cookie, once, and in this browser only
//
// Until somebody is signed in nothing is stored, and the one cookie that the site sets
// is the same however often a browser begins. So begun rounds pile up nowhere.
package site
