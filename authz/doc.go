// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package authz is the vocabulary that all rooms of the protocol share: the
// protocol error, the principal, events, and the words on the wire. It holds no
// behaviour and imports none of the packages below it but scope.
package authz
