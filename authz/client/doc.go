// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package client holds what the server knows of client applications: their
// metadata and its validation, where they are registered, and how they prove
// who they are.
//
// Clients come from two places. Those of the configuration are fixed while it
// serves; those of the store are added, edited and removed meanwhile. A
// [Registry] looks in the first, then in the second.
//
// An [Authenticator] finds out which of them a request comes from: by a secret, of
// which a digest is kept; or by an assertion (RFC 7523), under a secret that is kept
// sealed or signed with a key of the client's own. An assertion authenticates one
// request, which spends it in the same commit as what it changes.
package client
