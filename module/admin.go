// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

// This file is where the rules of the admin API stand, and how it keeps them.
//
//  1. Paths are resources, so that Caddy's permissions for remote
//     administrators (admin.remote) can grant a subtree: /oauth2/clients/{id}
//     and below it what can be done to it, such as …/rotate-secret.
//  2. GET reads and changes nothing. Every change is a POST with Content-Type
//     application/json, which a page in a browser cannot send to another
//     origin unasked, and so is everything whose question is a secret: Caddy
//     logs the URIs of admin requests.
//  3. A body is one JSON object of at most 64 KiB. Unknown fields and anything
//     after the object are refused: a misspelt setting is not silently left out.
//  4. Answers are JSON (but a backup, which is a file), and say Cache-Control:
//     no-store. Errors are Caddy's {"error": …} with a sentence that says what
//     to do.
//  5. A secret or token is shown once, by the request that makes it, and only
//     where the admin endpoint is on this machine: a loopback address or a unix
//     socket. It is plain HTTP everywhere else. So it is with backups. Remote
//     administrators (admin.remote, by TLS with certificates) get none either.
//  6. The app is looked up anew for every request. Caddy provisions these
//     routes before the apps and never cleans them up: after a reload that
//     failed, a pointer kept here would be to an app that never served.
//  7. Doing a thing twice is no error where the second time finds it done.

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

const (
	// maxAdminBody is the size of the largest body that is read, in bytes.
	maxAdminBody = 64 << 10
	// maxPage is how many entries a page of a list holds at most, and how many
	// it holds unless the request asks for fewer.
	maxPage = 500
	// actorAdmin is the actor of audit entries for what is done here.
	actorAdmin = "admin"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI serves /oauth2/ of Caddy's admin endpoint. It holds nothing: see
// rule 6.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.oauth2",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Routes returns the resources of the admin API.
func (adminAPI) Routes() []caddy.AdminRoute {
	var routes []caddy.AdminRoute
	for pattern, resource := range adminResources {
		routes = append(routes, caddy.AdminRoute{Pattern: pattern, Handler: caddy.AdminHandlerFunc(resource.serve)})
	}
	return routes
}

// adminResources are the resources of the admin API by their patterns (see
// [http.ServeMux]).
var adminResources = map[string]resource{
	"/oauth2/clients":                    {get: getClients, post: postClient},
	"/oauth2/clients/{id}":               {get: getClient},
	"/oauth2/clients/{id}/edit":          {post: postClientEdit},
	"/oauth2/clients/{id}/rotate-secret": {post: postClientSecret},
	"/oauth2/clients/{id}/revoke":        {post: postClientRevoke},
	"/oauth2/clients/{id}/remove":        {post: postClientRemove},
	"/oauth2/users":                      {get: getUsers, post: postUser},
	"/oauth2/users/import":               {post: postUserImport},
	"/oauth2/users/{id}":                 {get: getUser},
	"/oauth2/users/{id}/edit":            {post: postUserEdit},
	"/oauth2/users/{id}/password":        {post: postUserPassword},
	"/oauth2/users/{id}/disable":         {post: postUserDisable},
	"/oauth2/users/{id}/enable":          {post: postUserEnable},
	"/oauth2/users/{id}/remove":          {post: postUserRemove},
	"/oauth2/users/{id}/reset-link":      {post: postUserReset},
	"/oauth2/users/{id}/reset-factors":   {post: postUserFactors},
	"/oauth2/tokens/issue":               {post: postTokenIssue},
	"/oauth2/tokens/inspect":             {post: postTokenInspect},
	"/oauth2/tokens/revoke":              {post: postTokenRevoke},
	"/oauth2/grants":                     {get: getGrants},
	"/oauth2/grants/{id}/revoke":         {post: postGrantRevoke},
	"/oauth2/keys":                       {get: getKeys},
	"/oauth2/keys/rotate":                {post: postKeyRotate},
	"/oauth2/backup":                     {post: postBackup},
	"/oauth2/stats":                      {get: getStats},
	"/oauth2/audit":                      {get: getAudit},
	"/oauth2/explain":                    {post: postExplain},
	"/oauth2/":                           {}, // what is not above
}

// resource is what can be done at one path. The functions return the document
// to answer with.
type resource struct {
	get, post func(*adminRequest) (any, error)
}

// adminRequest is one request to the admin API and the app that serves as it
// arrives.
type adminRequest struct {
	*http.Request
	app *App
}

func (res resource) serve(w http.ResponseWriter, r *http.Request) error {
	app, err := servingApp()
	if err != nil {
		return err
	}
	return res.answer(w, r, app)
}

// answer does what the request asks of app.
func (res resource) answer(w http.ResponseWriter, r *http.Request, app *App) error {
	do, err := res.method(r)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
	document, err := do(&adminRequest{Request: r, app: app})
	if err != nil {
		return adminError(err)
	}
	if stream, ok := document.(*backupStream); ok {
		return stream.send(w)
	}
	text, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(append(text, '\n'))
	return err
}

// method picks what to do, and refuses what rules 1 and 2 do not allow.
func (res resource) method(r *http.Request) (func(*adminRequest) (any, error), error) {
	switch {
	case res.get == nil && res.post == nil:
		return nil, adminRefusal(http.StatusNotFound, "there is no such resource below /oauth2/")
	case r.Method == http.MethodGet && res.get != nil:
		return res.get, nil
	case r.Method == http.MethodPost && res.post != nil:
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			return nil, adminRefusal(http.StatusUnsupportedMediaType, "send the request as Content-Type: application/json")
		}
		return res.post, nil
	}
	allowed := "GET"
	if res.get == nil {
		allowed = "POST"
	} else if res.post != nil {
		allowed = "GET or POST"
	}
	return nil, adminRefusal(http.StatusMethodNotAllowed, "this resource takes "+allowed)
}

// servingApp returns the app of the configuration in force.
func servingApp() (*App, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("oauth2")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, adminRefusal(http.StatusConflict,
			"the configuration in force does not use oauth2: add the global option `oauth2 { … }` to the Caddyfile and reload")
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the oauth2 app: %w", err)
	}
	return app.(*App), nil
}

// Interface guards
var (
	_ caddy.Module      = (*adminAPI)(nil)
	_ caddy.AdminRouter = (*adminAPI)(nil)
)
