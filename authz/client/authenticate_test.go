// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// basic returns a header with raw id and secret.
func basic(id, secret string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
}

// post returns a form with id and secret.
func post(id, secret string) url.Values {
	return url.Values{"client_id": {id}, "client_secret": {secret}}
}

// Ensure that a client proves itself in the way it is registered for, in every
// spelling that clients use, and in no other (RFC 6749 §2.3, RFC 7617).
func TestAuthenticate(t *testing.T) {
	const odd = "sec%2Bret: +é/%41 and more, so that it is long"
	w := newWorld(t,
		build(t, declared(nil)),
		build(t, declared(func(d *Declaration) { d.ID, d.Secret = "odd-job_1", []string{odd} })),
		build(t, declared(func(d *Declaration) { d.ID = "https://app.example.com/id" })),
		build(t, declared(func(d *Declaration) { d.ID, d.AuthMethod = "poster", "client_secret_post" })),
		build(t, declared(func(d *Declaration) { d.ID, d.Disabled = "off", true })),
		build(t, &Declaration{Client: Client{ID: "app", AuthMethod: "none"}}))
	stored := w.add(t, Client{ID: "stored"})

	b64 := func(s string) http.Header {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(s))}}
	}
	header := func(s string) http.Header { return http.Header{"Authorization": {s}} }
	good := base64.StdEncoding.EncodeToString([]byte("job:" + strong))
	padded := base64.StdEncoding.EncodeToString([]byte("stored:" + stored))
	unpadded := strings.TrimRight(padded, "=")
	if len(padded)-len(unpadded) != 1 {
		t.Fatal("the padding is not what this test needs")
	}
	// The last digit carries two bits that mean nothing: any of them set is another spelling.
	trailing := unpadded[:len(unpadded)-1] + string(unpadded[len(unpadded)-1]+1) + "="
	if loose, err := base64.StdEncoding.DecodeString(trailing); err != nil || string(loose) != "stored:"+stored {
		t.Fatal("the trailing bits are not what this test needs")
	}
	id := func(id string) url.Values { return url.Values{"client_id": {id}} }

	for name, c := range map[string]struct {
		header http.Header
		form   url.Values
		client string // who it is, or else
		err    error
	}{
		"basic":                         {basic("job", strong), nil, "job", nil},
		"basic, stored client":          {basic("stored", stored), nil, "stored", nil},
		"basic, scheme in lower case":   {header("basic " + good), nil, "job", nil},
		"basic, two spaces":             {header("Basic  " + good), nil, "job", nil},
		"basic and the same client_id":  {basic("job", strong), id("job"), "job", nil},
		"basic and an empty client_id":  {basic("job", strong), id(""), "job", nil},
		"form-encoded":                  {basic("odd%2Djob%5F1", url.QueryEscape(odd)), nil, "odd-job_1", nil},
		"form-encoded, %20 for a space": {basic("odd-job_1", strings.ReplaceAll(url.QueryEscape(odd), "+", "%20")), nil, "odd-job_1", nil},
		"raw":                           {basic("odd-job_1", odd), nil, "odd-job_1", nil},
		"id with a colon, encoded":      {basic(url.QueryEscape("https://app.example.com/id"), strong), nil, "https://app.example.com/id", nil},
		"post":                          {nil, post("poster", strong), "poster", nil},
		"none":                          {nil, id("app"), "app", nil},

		"wrong secret":                       {basic("job", strong+"x"), nil, "", authz.ErrInvalidClient},
		"empty secret":                       {basic("job", ""), nil, "", authz.ErrInvalidClient},
		"somebody else's secret":             {basic("stored", strong), nil, "", authz.ErrInvalidClient},
		"digest as secret":                   {basic("job", FormatSecretHash(sha256.Sum256([]byte(strong)))), nil, "", authz.ErrInvalidClient},
		"unknown client":                     {basic("nobody", strong), nil, "", authz.ErrInvalidClient},
		"disabled client":                    {basic("off", strong), nil, "", authz.ErrInvalidClient},
		"doubly encoded":                     {basic("odd-job_1", url.QueryEscape(url.QueryEscape(odd))), nil, "", authz.ErrInvalidClient},
		"id with a colon, raw":               {basic("https://app.example.com/id", strong), nil, "", authz.ErrInvalidClient},
		"nothing":                            {nil, nil, "", authz.ErrInvalidClient},
		"post of a basic client":             {nil, post("job", strong), "", authz.ErrInvalidClient},
		"basic of a post client":             {basic("poster", strong), nil, "", authz.ErrInvalidClient},
		"client_id only, confidential":       {nil, id("job"), "", authz.ErrInvalidClient},
		"client_id only, unknown":            {nil, id("nobody"), "", authz.ErrInvalidClient},
		"public with a made-up secret":       {nil, post("app", "x"), "", authz.ErrInvalidClient},
		"public with an empty secret":        {nil, post("app", ""), "", authz.ErrInvalidClient},
		"public by basic":                    {basic("app", ""), nil, "", authz.ErrInvalidClient},
		"token as credential":                {header("Bearer " + good), nil, "", authz.ErrInvalidClient},
		"no scheme":                          {header(good), nil, "", authz.ErrInvalidClient},
		"empty header":                       {header(""), nil, "", authz.ErrInvalidClient},
		"no colon":                           {b64("job"), nil, "", authz.ErrInvalidClient},
		"malformed percent in the secret":    {b64("job:%zz"), nil, "", authz.ErrInvalidClient},
		"malformed percent in the id":        {b64("job%:" + strong), nil, "", authz.ErrInvalidClient},
		"base64 without padding":             {header("Basic " + unpadded), nil, "", authz.ErrInvalidClient},
		"base64 with trailing bits":          {header("Basic " + trailing), nil, "", authz.ErrInvalidClient},
		"base64 with a space inside":         {header("Basic " + good[:4] + " " + good[4:]), nil, "", authz.ErrInvalidClient},
		"base64 with a line break":           {header("Basic " + good[:4] + "\n" + good[4:]), nil, "", authz.ErrInvalidClient},
		"base64url alphabet":                 {header("Basic " + base64.URLEncoding.EncodeToString([]byte("job:ÿÿÿ>>>???"))), nil, "", authz.ErrInvalidClient},
		"basic and another client_id":        {basic("job", strong), id("app"), "", authz.ErrInvalidRequest},
		"basic and a secret in the body":     {basic("job", strong), post("job", strong), "", authz.ErrInvalidRequest},
		"basic and an empty secret, in body": {basic("job", strong), post("job", ""), "", authz.ErrInvalidRequest},
		"two Authorization headers":          {http.Header{"Authorization": {"Basic " + good, "Basic " + good}}, nil, "", authz.ErrInvalidRequest},
	} {
		got, err := w.authenticator().Authenticate(t.Context(), &http.Request{Header: c.header}, c.form)
		switch {
		case c.err == nil && (err != nil || got.ID != c.client):
			t.Errorf("%s: %v", name, err)
		case c.err != nil && (!errors.Is(err, c.err) || got.Client != nil):
			t.Errorf("%s: %v, %v; want %v", name, got.Client, err, c.err)
		case errors.Is(err, authz.ErrInvalidClient) && err.Error() != authz.ErrInvalidClient.Error():
			t.Errorf("%s: the answer tells the reason: %v", name, err)
		}
	}
}

// Ensure that every refusal costs the same digests, comparisons and reads of the
// store, whether the client exists or not, is disabled, has one secret or two, was
// found in the configuration or in the store (A07).
func TestRefusalsCostTheSame(t *testing.T) {
	w := newWorld(t,
		build(t, declared(nil)),
		build(t, declared(func(d *Declaration) { d.ID, d.Secret = "two", []string{strong, strong + "2"} })),
		build(t, declared(func(d *Declaration) { d.ID, d.AuthMethod = "poster", "client_secret_post" })),
		build(t, declared(func(d *Declaration) { d.ID, d.Disabled = "off", true })),
		build(t, &Declaration{Client: Client{ID: "app", AuthMethod: "none"}}))
	w.add(t, Client{ID: "stored"})
	w.add(t, Client{ID: "stored-off", Disabled: true})
	type cost struct{ digests, comparisons, reads int64 }
	const wrong = "a wrong secret of the usual length, or so"
	refuse := func(header http.Header, form url.Values) cost {
		var c cost
		counting := comparison{
			digest:  func(b []byte) [32]byte { c.digests++; return sha256.Sum256(b) },
			compare: func(x, y []byte) int { c.comparisons++; return subtle.ConstantTimeCompare(x, y) },
		}
		before := w.engine.reads.Load()
		if _, err := w.authenticator().authenticate(t.Context(), header, form, counting); !errors.Is(err, authz.ErrInvalidClient) {
			t.Fatal(err)
		}
		c.reads = w.engine.reads.Load() - before
		return c
	}
	want := cost{digests: 2, comparisons: 4, reads: 1}
	for _, id := range []string{"nobody", "not an id", "", "job", "two", "poster", "app", "off", "stored", "stored-off"} {
		if strings.HasPrefix(id, "stored") {
			w.warm(t, id)
		}
		if got := refuse(basic(url.QueryEscape(id), wrong), nil); got != want {
			t.Errorf("basic, %q: %+v", id, got)
		}
		if got := refuse(nil, post(id, wrong)); got != want {
			t.Errorf("post, %q: %+v", id, got)
		}
		if id == "app" {
			continue
		}
		if got := refuse(nil, url.Values{"client_id": {id}}); got != want {
			t.Errorf("none, %q: %+v", id, got)
		}
	}
}

// Ensure that trouble of the store is never called a failed authentication.
func TestAuthenticateReportsTrouble(t *testing.T) {
	w := newWorld(t, build(t, declared(nil)))
	w.engine.failing.Store(true)
	for _, id := range []string{"nobody", "job"} {
		_, err := w.authenticator().authenticate(t.Context(), basic(id, "wrong"), nil, constantTime)
		if !errors.Is(err, authz.ErrTemporarilyUnavailable) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := w.authenticator().authenticate(t.Context(), basic("job", strong), nil, constantTime); err != nil {
		t.Errorf("a configured client with its secret needs no store: %v", err)
	}
}

// Ensure that a client's record must stay the same from its authentication to the commit.
func TestExpectHoldsTheClientStill(t *testing.T) {
	w := newWorld(t, build(t, declared(nil)))
	secret := w.add(t, Client{ID: "stored"})
	stored, err := w.authenticator().authenticate(t.Context(), basic("stored", secret), nil, constantTime)
	if err != nil {
		t.Fatal(err)
	}
	configured, err := w.authenticator().authenticate(t.Context(), basic("job", strong), nil, constantTime)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(a Authenticated) error {
		change := w.db.NewChange()
		a.Expect(change)
		change.Revoke(w.db.StoreAnchor())
		_, err := w.db.Commit(t.Context(), change)
		return err
	}
	if err := errors.Join(commit(stored), commit(configured)); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	if _, err := RotateSecret(t.Context(), w.db, "admin", "stored", Rotation{}); err != nil {
		t.Fatal(err)
	}
	if commit(stored) == nil {
		t.Error("the secret that authenticated was replaced, and the commit went through")
	}
}

func FuzzBasic(f *testing.F) {
	for _, h := range []string{
		"", "Basic", "Basic ", "basic am9iOnNlY3JldA==", "Basic am9iOnNlY3JldA=", "Basic am9iOnNlY3JldA==\n", "Bearer x",
		"Basic " + base64.StdEncoding.EncodeToString([]byte("a%2Db:c+d%")), "Basic " + base64.StdEncoding.EncodeToString([]byte(":")),
	} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, header string) {
		id, secrets, ok := parseBasic(header)
		if !ok {
			if id != "" || secrets != [2]string{} {
				t.Fatal("refused, and yet something came out")
			}
			return
		}
		// What is accepted has one spelling: encoding it anew gives the same header.
		scheme, encoded, _ := strings.Cut(header, " ")
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
		if err != nil || !strings.EqualFold(scheme, "basic") || base64.StdEncoding.EncodeToString(decoded) != strings.TrimLeft(encoded, " ") {
			t.Fatalf("accepted: %q", header)
		}
		rawID, rawSecret, _ := strings.Cut(string(decoded), ":")
		if secrets[1] != rawSecret {
			t.Fatalf("raw secret = %q", secrets[1])
		}
		// An id that can be registered has one reading only.
		if ValidateID(rawID) == nil && id != rawID {
			t.Fatalf("id = %q, raw %q", id, rawID)
		}
		// The standard library reads the same user name and password.
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		if user, password, ok := r.BasicAuth(); ok && (user != rawID || password != rawSecret) {
			t.Fatalf("net/http reads %q, %q", user, password)
		}
	})
}
