// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/authz/jose"
)

// presented is what a request carries to authenticate its client, not yet
// checked against anything.
type presented struct {
	// method is the one way of client authentication that the request uses.
	method string
	id     string
	// secrets are the readings of the secret: form-decoded and raw in HTTP
	// Basic, twice the same elsewhere.
	secrets [2]string
	// assertion is there for the methods that use one.
	assertion *jose.Token
}

// readPresented finds the client credentials in a request. A form parameter
// that is there counts as presented, even when it is empty.
func readPresented(header http.Header, form url.Values) (presented, error) {
	authorization := header.Values("Authorization")
	if len(authorization) > 1 {
		return presented{}, authz.ErrInvalidRequest.Describe("More than one Authorization header.")
	}
	bodySecret, inBody := form[authz.ParamClientSecret]
	bodyID := form.Get(authz.ParamClientID)
	_, asserted := form[authz.ParamClientAssertion]
	_, typed := form[authz.ParamClientAssertionType]
	asserted = asserted || typed // RFC 7521 §4.2: neither comes without the other
	switch {
	case asserted && (len(authorization) == 1 || inBody):
		return presented{}, authz.ErrInvalidRequest.Describe("More than one method of client authentication.")
	case asserted:
		return readAssertion(form)
	case len(authorization) == 1 && inBody:
		// RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
		return presented{}, authz.ErrInvalidRequest.Describe("More than one method of client authentication.")
	case len(authorization) == 1:
		id, secrets, ok := parseBasic(authorization[0])
		if !ok {
			return presented{}, authz.ErrInvalidClient
		}
		if bodyID != "" && bodyID != id {
			return presented{}, authz.ErrInvalidRequest.Describe("The client_id differs from the one in the Authorization header.")
		}
		return presented{method: authz.AuthSecretBasic, id: id, secrets: secrets}, nil
	case inBody:
		return presented{method: authz.AuthSecretPost, id: bodyID, secrets: [2]string{bodySecret[0], bodySecret[0]}}, nil
	default:
		return presented{method: authz.AuthNone, id: bodyID}, nil
	}
}

// PresentedID is the id of the client that a request says to come from; empty if it
// says none, or cannot be read. Nothing of it is checked.
func PresentedID(header http.Header, form url.Values) string {
	p, err := readPresented(header, form)
	if err != nil {
		return ""
	}
	return p.id
}

// parseBasic reads an Authorization header of the Basic scheme (RFC 7617 §2).
// RFC 6749 §2.3.1 wants id and secret form-encoded within; many clients send
// them raw. So the secret has two readings. The id needs only the decoded one:
// in the characters that ids are made of, both are the same.
//
// Base64 other than the canonical form, and a percent sign that encodes
// nothing, are refused: two parsers could read them differently.
func parseBasic(header string) (id string, secrets [2]string, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, authz.SchemeBasic) {
		return "", secrets, false
	}
	encoded = strings.TrimLeft(encoded, " ") // credentials = auth-scheme 1*SP token68 (RFC 9110 §11.4)
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || base64.StdEncoding.EncodedLen(len(decoded)) != len(encoded) { // the decoder skips line breaks
		return "", secrets, false
	}
	rawID, rawSecret, found := strings.Cut(string(decoded), ":")
	id, idErr := url.QueryUnescape(rawID)
	secret, secretErr := url.QueryUnescape(rawSecret)
	if !found || idErr != nil || secretErr != nil {
		return "", secrets, false
	}
	return id, [2]string{secret, rawSecret}, true
}
