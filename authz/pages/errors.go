// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

// errorHelp says, for each error code, what to do about it.
var errorHelp = map[string]string{
	"invalid_request":                   "A parameter is missing, repeated or malformed, or the request carries credentials in more than one way. The description beside the code says which. Correct the request; repeating it unchanged will not help.",
	"invalid_client":                    "The client is unknown, disabled, or did not prove who it is in the way it is registered for. Check the client id, the secret, and whether they are sent in the Authorization header (client_secret_basic) or in the form (client_secret_post). For safety the answer is the same in all these cases.",
	"invalid_grant":                     "What was presented to obtain or end a token is not valid, has expired, was used or revoked before, or belongs to another client. Begin a new authorization.",
	"unauthorized_client":               "The client is known, but it is not registered for this grant type. Ask the operator to add the grant type to the client, or use one that it has.",
	"unsupported_grant_type":            "This server does not offer the grant type. The grant types it offers are listed in its metadata under grant_types_supported.",
	"invalid_scope":                     "A scope in the request is unknown, malformed, or not among those that this client may have. Ask for fewer scopes, or ask the operator to add them to the client.",
	"invalid_target":                    "The resource parameter names something that this server issues no tokens for, or is not an absolute URI without fragment. Use the resource identifier that the protected resource states in its metadata.",
	"unsupported_token_type":            "What was sent to the revocation endpoint is a secret of another kind than an access or refresh token. Only those can be revoked there.",
	"unsupported_response_type":         "This server issues authorization codes only: send response_type=code.",
	"access_denied":                     "The user was asked and said no, or allowed nothing of what was asked for. Tell them what the application needs it for before they are asked again.",
	"login_required":                    "The request said prompt=none, but the user is not signed in, or not recently enough. Repeat it without that parameter, so that the user can sign in.",
	"interaction_required":              "The request said prompt=none, but the user would have to prove more than they did when they signed in. Repeat it without that parameter.",
	"consent_required":                  "The request said prompt=none, but the user has not yet allowed all that is asked for, or must be asked each time. Repeat it without that parameter.",
	"unmet_authentication_requirements": "The request names classes of authentication in acr_values of which none exists here. There are 1, for one factor, and 2, for two.",
	"invalid_request_uri":               "The request_uri is none that this server gave to this client, has expired, or has led to an answer already. Push the request again.",
	"request_not_supported":             "Signed request objects, in the parameter request, are not read here. Push the request to the pushed authorization request endpoint instead.",
	"invalid_token":                     "The access token is malformed, expired, revoked, or meant for another resource. Throw it away and obtain a new one.",
	"insufficient_scope":                "The access token is valid but does not reach this far. The WWW-Authenticate header names the scope that would have sufficed: obtain a token with it.",
	"insufficient_user_authentication":  "The access token is valid, but the user signed in too long ago or by too weak a method. The WWW-Authenticate header says what is needed, in acr_values and max_age: send the user through the authorization endpoint with these, then use the new token.",
	"cross_origin":                      "The credential came in a cookie, which browsers also send with requests that other sites cause. Requests that change something, and WebSocket handshakes, must come from a page of the same origin (Sec-Fetch-Site or Origin), or carry the token in the Authorization header.",
	"credential_required":               "The resource is protected and the request carried no credential. Send an access token in the Authorization header: Bearer, a space, the token.",
	"denied":                            "The gateway lets nobody pass to this resource, whatever the token. Check method and path of the request.",
	"ambiguous_request":                 "The path or another part of the request could be read in two ways, for example because of an encoded slash, a double slash or a dot segment. Write it in its plain form.",
	"method_not_allowed":                "The endpoint does not take this HTTP method. The Allow header of the answer lists those that it takes; tokens are requested with POST.",
	"too_early":                         "The request arrived as TLS early data, which an attacker could repeat. Send it again once the handshake is complete; most HTTP libraries do so by themselves.",
	"slow_down":                         "Too many attempts have failed, at this account, from this address, or with this client's secret. Nothing is locked: wait for the time in the Retry-After header, then try again.",
	"request_too_large":                 "The request body is larger than this endpoint reads.",
	"unsupported_media_type":            "Send the parameters as application/x-www-form-urlencoded in the body, without content encoding. JSON and multipart forms are not accepted.",
	"temporarily_unavailable":           "The server cannot decide at the moment, so it refuses. The request was not at fault: repeat it after the time in the Retry-After header.",
	"server_error":                      "The server met a condition that it did not expect. The operator's log says more.",
}

// ErrorHelp returns what to do about an error code, and whether there is such a code.
func ErrorHelp(code string) (string, bool) {
	help, ok := errorHelp[code]
	return help, ok
}

// UnknownErrorHelp is the text for a code that does not exist.
const UnknownErrorHelp = "This server has no error of that code."
