// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// A client that is not ours: openid-client does all that a web application does with
// a code and what it gets for it. Whoever runs this is the browser: it prints each
// authorization request, and reads the URL to which the browser was sent back.
//
//   node openid_client.mjs <issuer> <client id> <secret> <redirect URI> <API>

import { createInterface } from "node:readline";
import * as oauth from "openid-client";

const [issuer, id, secret, redirectURI, api] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function browse(url) {
  console.log(`browse ${url.href}`);
  return new URL((await lines.next()).value);
}

async function call(token) {
  const answer = await fetch(api, { headers: { Authorization: `Bearer ${token}` } });
  console.log(`api ${answer.status}`);
}

const options = { algorithm: "oauth2", execute: [oauth.allowInsecureRequests] };
const server = await oauth.discovery(new URL(issuer), id, undefined, oauth.ClientSecretBasic(secret), options);

async function request() {
  const verifier = oauth.randomPKCECodeVerifier();
  const state = oauth.randomState();
  return {
    checks: { pkceCodeVerifier: verifier, expectedState: state },
    parameters: {
      redirect_uri: redirectURI,
      scope: "orders:read",
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    },
  };
}

const plain = await request();
const first = await oauth.authorizationCodeGrant(
  server, await browse(oauth.buildAuthorizationUrl(server, plain.parameters)), plain.checks);
console.log(`code ${first.token_type} ${first.scope}`);
await call(first.access_token);

const pushed = await request();
const named = await oauth.buildAuthorizationUrlWithPAR(server, pushed.parameters);
console.log(`pushed ${[...named.searchParams.keys()].sort()}`);
const second = await oauth.authorizationCodeGrant(server, await browse(named), pushed.checks);
await call(second.access_token);

const next = await oauth.refreshTokenGrant(server, first.refresh_token);
console.log(`refreshed ${next.refresh_token !== first.refresh_token} ${next.access_token !== first.access_token}`);
await call(next.access_token);

const facts = await oauth.tokenIntrospection(server, next.access_token);
console.log(`introspected ${facts.active} ${facts.client_id} ${facts.username} ${facts.scope}`);

await oauth.tokenRevocation(server, next.refresh_token);
console.log(`revoked ${(await oauth.tokenIntrospection(server, next.access_token)).active}`);
await call(next.access_token);
await call(second.access_token);

const refused = await oauth.refreshTokenGrant(server, next.refresh_token).catch((problem) => problem.error);
console.log(`refused ${refused}`);
process.exit(0); // its input stays open
