// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package module holds the Caddy modules: the app, its two handlers, the
// built-in guests, admin endpoints, commands and metrics. It is thin. What the
// protocol demands is in the packages below authz, which know nothing of Caddy;
// here are life cycle, JSON configuration and placeholders.
//
// # Life cycle
//
// Caddy provisions and starts a new configuration before it stops the old one,
// starts and stops apps in random order, and lets requests outlive both. So:
//
//   - Provision and Validate read and compute. They open nothing and write
//     nothing: `caddy validate` beside a running server leaves no trace.
//   - Start takes the [runtime] of the store from a pool keyed by the store's
//     identity: the first configuration that names a store opens it, the last
//     one that lets go closes it. A reload finds it open.
//   - Handlers that come before Start has finished wait at a gate, bounded by
//     [gateWait]; then they answer 503.
//   - Cleanup lets go of exactly what Start took.
package module
