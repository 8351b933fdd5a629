// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/crypto/argon2"

	users "github.com/caddy-oauth2/caddy-oauth2/authz/signin/user"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore/bolt"
)

// The bare endpoint is what issuance is compared with: a plain HTTP server without OAuth
// that does, for each request, the same write to disk and answers about as much
// as the token endpoint does. It runs where the gateway runs, on the server's
// core.
const (
	bareApply  = "/apply"  // one Apply of the same store, as for a token: raw group commit
	bareRotate = "/rotate" // the same, as for a refresh token that is replaced
	bareBatch  = "/batch"  // one db.Batch of bbolt, with its defaults
	bareRaw    = "/raw"    // Apply without HTTP: the loop is inside
	bareHash   = "/hash"   // the hash of a password, in such a loop
)

// bareAnswer is as long as a token endpoint's answer.
const bareAnswer = `{"access_token":"co2at_0123456789012345678901234567890123456789012123456","expires_in":86400,"scope":"api:read","token_type":"Bearer"}` + "\n"

// bareOrder is what the bare endpoint is told.
type bareOrder struct {
	Vault       vaultOptions // its Path is a folder here
	Addr        string
	CommitDelay time.Duration
}

// bareEndpoint holds the two stores that it writes to.
type bareEndpoint struct {
	shape, rotation shape
	store           *bolt.Store
	batch           *bbolt.DB
	slow            *slowCommits
}

// bareHelper serves until it is told to end.
func bareHelper(ctx context.Context, o bareOrder) (_ struct{}, err error) {
	dir := o.Vault.Path
	o.Vault.Path = filepath.Join(dir, "shape.db")
	e := &bareEndpoint{slow: &slowCommits{delay: o.CommitDelay}}
	if e.shape, e.rotation, err = learnShapes(ctx, o.Vault); err != nil {
		return struct{}{}, err
	}
	if e.store, err = bolt.Open(ctx, filepath.Join(dir, "apply.db"), bolt.Options{CommitDelay: o.CommitDelay}); err != nil {
		return struct{}{}, err
	}
	defer func() { err = errors.Join(err, e.store.Close()) }()
	if e.batch, err = bbolt.Open(filepath.Join(dir, "batch.db"), 0o600, nil); err != nil {
		return struct{}{}, err
	}
	defer func() { err = errors.Join(err, e.batch.Close()) }()

	routes := http.NewServeMux()
	routes.HandleFunc("POST "+bareApply, e.serve(e.applyOne))
	routes.HandleFunc("POST "+bareRotate, e.serve(e.rotateOne))
	routes.HandleFunc("POST "+bareBatch, e.serve(e.batchOne))
	routes.HandleFunc("GET "+bareRaw, e.loop(e.applyOne))
	routes.HandleFunc("GET "+bareHash, e.loop(hashOne))
	server := http.Server{Handler: routes}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return struct{}{}, err
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return struct{}{}, err
	}
	return struct{}{}, nil
}

// serve is the bare endpoint around a write.
func (e *bareEndpoint) serve(write func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<16)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := write(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, bareAnswer)
	}
}

// applyOne writes what one token takes, through the product's engine.
func (e *bareEndpoint) applyOne(ctx context.Context) error {
	_, err := e.store.Apply(ctx, e.shape.next())
	return err
}

// rotateOne writes what it takes to replace a refresh token.
func (e *bareEndpoint) rotateOne(ctx context.Context) error {
	_, err := e.store.Apply(ctx, e.rotation.next())
	return err
}

// batchOne writes the same through bbolt's own batching, with its defaults.
func (e *bareEndpoint) batchOne(context.Context) error {
	b := e.shape.next()
	return e.batch.Batch(func(tx *bbolt.Tx) error {
		e.slow.begin(tx)
		bucket, err := tx.CreateBucketIfNotExists([]byte("records"))
		if err != nil {
			return err
		}
		for _, put := range b.Put {
			if err := bucket.Put([]byte(put.Key), put.Value); err != nil {
				return err
			}
		}
		for _, key := range b.Delete {
			if err := bucket.Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// slowCommits holds each transaction of bbolt longer, once, however many
// functions of a batch run in it: a slower disk than this machine has.
type slowCommits struct {
	delay time.Duration
	last  int // the transaction held already; writers come one at a time
}

func (s *slowCommits) begin(tx *bbolt.Tx) {
	if s.delay > 0 && tx.ID() != s.last {
		s.last = tx.ID()
		time.Sleep(s.delay)
	}
}

// hashOne computes what a sign-in has to compute at least.
func hashOne(context.Context) error {
	p := users.DefaultParams()
	argon2.IDKey([]byte(password), make([]byte, 16), p.Time, p.Memory, p.Threads, 32)
	return nil
}

// loop lets "conns" callers do something for "for", without HTTP, and answers with
// what they saw.
func (e *bareEndpoint) loop(do func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conns, err := strconv.Atoi(r.FormValue("conns"))
		duration, errDuration := time.ParseDuration(r.FormValue("for"))
		if err := errors.Join(err, errDuration); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		result, err := closedLoop(conns, duration, func(int) error { return do(r.Context()) })
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(result)
	}
}
