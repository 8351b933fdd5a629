// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// hangingUp is a client that takes so many bytes.
type hangingUp struct {
	http.ResponseWriter
	takes int
}

func (h *hangingUp) Write(p []byte) (int, error) {
	if h.takes -= len(p); h.takes < 0 {
		return 0, net.ErrClosed
	}
	return h.ResponseWriter.Write(p)
}

// Ensure that a backup counts as made when it is whole, as failed when its client has
// gone before, and is in the audit ring either way.
func TestABackupIsToldOfAsItEnded(t *testing.T) {
	o := newOperator(t)
	told := func(outcome authz.Outcome) float64 {
		return testutil.ToFloat64(changes.WithLabelValues(string(authz.EventStoreBackedUp), string(outcome)))
	}
	for i, c := range []struct {
		takes        int
		made, failed float64
		cut          bool
	}{
		{takes: 1 << 40, made: 1},
		{takes: 200_000, failed: 1, cut: true},
		{takes: 0, failed: 1},
	} {
		made, failed := told(authz.Allowed), told(authz.Failed)
		ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/oauth2/backup", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		var err error
		cut := func() (cut bool) {
			defer func() { cut = recover() == http.ErrAbortHandler }()
			err = adminResources["/oauth2/backup"].serve(&hangingUp{httptest.NewRecorder(), c.takes}, r)
			return false
		}()
		if cut != c.cut || (err == nil) != (c.made == 1 || c.cut) {
			t.Errorf("a client that takes %d bytes: cut %v, %v", c.takes, cut, err)
		}
		if made, failed := told(authz.Allowed)-made, told(authz.Failed)-failed; made != c.made || failed != c.failed {
			t.Errorf("a client that takes %d bytes: %v are told of as made, %v as failed", c.takes, made, failed)
		}
		if ring := o.does("", "audit"); strings.Count(ring, string(authz.EventStoreBackedUp)) != i+1 {
			t.Errorf("after %d the ring has\n%s", i+1, ring)
		}
	}
}
