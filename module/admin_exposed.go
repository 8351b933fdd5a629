// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"cmp"
	"reflect"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz/fetch"
)

// exposedAdmin returns where Caddy's admin endpoint listens when that is not on
// this machine only, or "". The one of admin.remote is not meant: it takes nobody but
// those whose certificates the configuration names, and encrypts.
func exposedAdmin(ctx caddy.Context) string {
	listen := adminListen(ctx)
	if listen == "" {
		return ""
	}
	listen = caddy.NewReplacer().ReplaceAll(listen, "")
	address, err := caddy.ParseNetworkAddress(listen)
	if err != nil || address.IsUnixNetwork() || address.IsFdNetwork() || fetch.IsLoopback(address.Host) {
		return ""
	}
	return listen
}

// adminListen returns the address of the admin endpoint as it is configured, ""
// when there is none. Caddy keeps it from modules, which have no say in it; so
// this looks, and sees nothing should Caddy come to keep it elsewhere.
func adminListen(ctx caddy.Context) string {
	config := reflect.ValueOf(ctx).FieldByName("cfg")
	if config.Kind() != reflect.Pointer || config.IsNil() {
		return ""
	}
	admin := config.Elem().FieldByName("Admin")
	if admin.Kind() != reflect.Pointer {
		return ""
	}
	if admin.IsNil() {
		return caddy.DefaultAdminListen
	}
	disabled, listen := admin.Elem().FieldByName("Disabled"), admin.Elem().FieldByName("Listen")
	if disabled.Kind() != reflect.Bool || disabled.Bool() || listen.Kind() != reflect.String {
		return ""
	}
	return cmp.Or(listen.String(), caddy.DefaultAdminListen)
}
