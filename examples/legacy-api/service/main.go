// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// Command service is a legacy API. It knows nothing of OAuth: it believes the
// headers that the gateway it was written for puts on every request.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
)

// callers says where each gateway tells who calls.
var callers = map[string]string{
	"kong":         "X-Consumer-Username",
	"oauth2-proxy": "X-Forwarded-User",
	"remote-user":  "Remote-User",
}

// orders are whose they are.
var orders = map[string]string{"shop": "7 and 8", "eve": "none"}

func main() {
	listen := flag.String("listen", "127.0.0.1:8081", "where to listen")
	dialect := flag.String("dialect", "kong", "whose headers to believe: kong, oauth2-proxy or remote-user")
	flag.Parse()
	header, known := callers[*dialect]
	if !known {
		log.Fatalf("dialect %q is unknown", *dialect)
	}
	http.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	http.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s says you are %q\n", header, r.Header.Get(header))
	})
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		caller := r.Header.Get(header)
		if caller == "" {
			http.Error(w, "nobody has no orders", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "orders of %s: %s\n", caller, orders[caller])
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
