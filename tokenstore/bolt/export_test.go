// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package bolt

// Long is the flag -long, for the tests of package bolt_test.
var Long = long
