// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package systemtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"
)

// authority is Caddy's internal certificate authority ("tls internal"). All gateways
// of this process share one, so that one browser trusts them all.
type authority struct {
	roots *x509.CertPool
	// files are what Caddy reads, by name.
	files map[string]string
	// pin is the digest of the issuing key, by which Chromium trusts what it signs.
	pin string
}

// internalAuthority makes the authority when it is first asked for.
var internalAuthority = sync.OnceValues(func() (*authority, error) {
	a := &authority{roots: x509.NewCertPool(), files: make(map[string]string)}
	root, rootKey, err := a.certify("root", 1, nil, nil)
	if err != nil {
		return nil, err
	}
	issuing, _, err := a.certify("intermediate", 2, root, rootKey)
	if err != nil {
		return nil, err
	}
	a.roots.AddCert(root)
	digest := sha256.Sum256(issuing.RawSubjectPublicKeyInfo)
	a.pin = base64.StdEncoding.EncodeToString(digest[:])
	return a, nil
})

// certify makes a certificate that may issue others, and its files. One without an
// issuer signs itself.
func (a *authority) certify(name string, serial int64, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Tests of caddy-oauth2, " + name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(7 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if issuer == nil {
		issuer, issuerKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	a.files[name+".crt"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	a.files[name+".key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// authorized is imported by the global block of a Caddyfile whose sites have
// "tls internal".
const authorized = `auto_https disable_redirects
skip_install_trust
pki {
	ca {
		root {
			cert {$AUTHORITY_DIR}/root.crt
			key {$AUTHORITY_DIR}/root.key
		}
		intermediate {
			cert {$AUTHORITY_DIR}/intermediate.crt
			key {$AUTHORITY_DIR}/intermediate.key
		}
	}
}
`

// prepareInternal is [prepare] for a Caddyfile whose sites have "tls internal" and
// whose global block begins with
//
//	import {$HARNESS}
//	import {$AUTHORITY}
func prepareInternal(t testing.TB, caddyfile string, env ...string) *gateway {
	t.Helper()
	a, err := internalAuthority()
	if err != nil {
		t.Fatal(err)
	}
	g := prepare(t, caddyfile, env...)
	for name, content := range a.files {
		g.write(name, content)
	}
	g.env = append(g.env, "AUTHORITY="+g.write("authority", authorized), "AUTHORITY_DIR="+g.dir)
	g.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: a.roots}
	return g
}

// internalSite is the address of a site in a Caddyfile.
var internalSite = regexp.MustCompile(`(?m)^https://([a-z.]+):\{\$PORT\}`)

// startInternal starts a gateway of [prepareInternal] and waits until each of its sites
// has its certificate: Caddy gets those when it serves already.
func (g *gateway) startInternal() {
	g.t.Helper()
	g.start()
	caddyfile, err := os.ReadFile(g.path("Caddyfile"))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, site := range internalSite.FindAllStringSubmatch(string(caddyfile), -1) {
		config := g.client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName = site[1]
		eventually(g.t, site[1]+" has a certificate", func() bool {
			conn, err := tls.Dial("tcp", "127.0.0.1:"+g.port, config)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
}
