// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Package tokenstore keeps what must survive a restart: clients, grants,
// credentials, keys, and the audit ring.
//
// It has two layers. A [Store] is an engine: an ordered map that changes by
// atomic batches. [DB] is everything else, written once above all engines:
// records with a MAC, expiry, anchors and their generations, the cache and the
// epochs that keep it exact, the clock, sealing, sweeping, the audit ring.
//
// # Revocation
//
// Whatever can be revoked has an anchor, and the revision of the anchor's key is
// its generation. A record lists the generations of all its anchors and is valid
// while every one of them is still the present one. To revoke is to write the
// anchor anew: one small commit ends everything below it, however much that is.
//
// The cache may not weaken that. Beside it stands a table of epochs, counters
// indexed by a hash of the key; whoever changes a key raises its epoch after the
// commit and before the answer. A cached record carries the epochs of its key
// and its anchors as they were before it was read, and counts only while they
// are still the same. See epoch.go for why that suffices in every race.
package tokenstore
