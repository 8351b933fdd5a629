// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-oauth2/caddy-oauth2/authz/pages"
)

// Brand is how the pages look that people see. The names of files may have
// placeholders such as {env.ASSETS}, resolved once, when the configuration is loaded.
type Brand = pages.Brand

// buildPages reads the brand and the folder of templates.
func (a *App) buildPages(host string) (*pages.Set, error) {
	c := pages.Config{Prefix: a.Prefix, Brand: a.Brand, Folder: a.Pages}
	if c.Brand.Name == "" {
		c.Brand.Name = host
	}
	for _, path := range []*string{&c.Brand.Logo, &c.Brand.LogoDark, &c.Folder} {
		resolved, err := caddy.NewReplacer().ReplaceOrErr(*path, true, true)
		if err != nil && *path != "" {
			return nil, fmt.Errorf("pages: %w", err)
		}
		*path = resolved
	}
	return pages.New(c)
}
