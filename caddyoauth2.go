// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package caddyoauth2 brings everything of caddy-oauth2 into a Caddy that
// imports it: `xcaddy build --with github.com/caddy-oauth2/caddy-oauth2`.
package caddyoauth2

import (
	_ "github.com/caddy-oauth2/caddy-oauth2/caddyfile"
	_ "github.com/caddy-oauth2/caddy-oauth2/module"
)
