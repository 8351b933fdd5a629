// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Command caddy is Caddy with its standard modules and caddy-oauth2: what
// xcaddy would build, for those who do not have xcaddy.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-oauth2/caddy-oauth2"
)

func main() {
	caddycmd.Main()
}
