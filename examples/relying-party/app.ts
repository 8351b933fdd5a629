// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

// A web application that has people sign in at the gateway, and reads their orders
// from an API behind it. All tokens stay on its own side: the browser has a cookie
// that means nothing elsewhere.

import { Hono, type Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { csrf } from "hono/csrf";
import { html } from "hono/html";
import * as oauth from "openid-client";

const {
  ISSUER = "http://localhost:8080",
  API = "http://localhost:8080/orders",
  // Not localhost: cookies do not know ports, and the gateway has some there.
  HOME_PAGE = "http://127.0.0.1:3000",
  CLIENT_ID = "orders-app",
  CLIENT_SECRET = "relying-party-secret-do-not-use-elsewhere",
} = process.env;

const issuer = new URL(ISSUER);
const home = new URL(HOME_PAGE);
const callback = new URL("/callback", home);

// What else there is to know about the gateway is in its metadata (RFC 8414).
const gateway = await oauth.discovery(issuer, CLIENT_ID, undefined, oauth.ClientSecretBasic(CLIENT_SECRET), {
  algorithm: "oauth2",
  execute: issuer.protocol === "http:" ? [oauth.allowInsecureRequests] : [],
});

interface Tokens {
  access: string;
  refresh?: string;
  expires: number; // milliseconds since 1970
}

interface Session {
  attempt?: { state: string; verifier: string }; // a sign-in under way
  tokens?: Tokens;
}

const sessions = new Map<string, Session>(); // yours are in a database, and expire
const cookie = "orders_session";

// begin gives the browser another session, so that none goes on whose cookie somebody
// knew before the sign-in.
function begin(c: Context, session: Session): void {
  sessions.delete(getCookie(c, cookie) ?? "");
  const id = crypto.randomUUID();
  sessions.set(id, session);
  setCookie(c, cookie, id, { path: "/", httpOnly: true, sameSite: "Lax", secure: home.protocol === "https:" });
}

function end(c: Context): void {
  sessions.delete(getCookie(c, cookie) ?? "");
  deleteCookie(c, cookie, { path: "/" });
}

function kept(answer: oauth.TokenEndpointResponse, before?: Tokens): Tokens {
  return {
    access: answer.access_token,
    refresh: answer.refresh_token ?? before?.refresh,
    expires: Date.now() + (answer.expires_in ?? 0) * 1000,
  };
}

// fresh returns tokens that last half a minute at least, or nothing when the gateway
// gives no more.
async function fresh(tokens: Tokens): Promise<Tokens | undefined> {
  if (!tokens.refresh || Date.now() < tokens.expires - 30_000) return tokens;
  try {
    return kept(await oauth.refreshTokenGrant(gateway, tokens.refresh), tokens);
  } catch (problem) {
    if (problem instanceof oauth.ResponseBodyError && problem.error === "invalid_grant") return undefined;
    throw problem;
  }
}

const page = (body: ReturnType<typeof html>) => html`<!doctype html>
  <html lang="en">
    <meta name="viewport" content="width=device-width" />
    <link rel="icon" href="data:," />
    <title>Orders</title>
    <body style="font: 1rem/1.5 system-ui; max-width: 40rem; margin: 3rem auto; padding: 0 1rem">
      <h1>Orders</h1>
      ${body}
    </body>
  </html>`;

const app = new Hono();
app.use(csrf());

app.get("/", async (c) => {
  const session = sessions.get(getCookie(c, cookie) ?? "");
  if (!session?.tokens) {
    return c.html(page(html`<p>You are not signed in.</p><p><a href="/login">Sign in</a></p>`));
  }
  session.tokens = await fresh(session.tokens);
  const answer = session.tokens && (await fetch(API, { headers: { Authorization: `Bearer ${session.tokens.access}` } }));
  if (!answer || answer.status === 401) {
    end(c);
    return c.html(page(html`<p>Your access has ended.</p><p><a href="/login">Sign in again</a></p>`));
  }
  if (!answer.ok) throw new Error(`${API}: ${answer.status}`);
  return c.html(
    page(html`<pre>${await answer.text()}</pre>
      <form method="post" action="/logout"><button>Sign out</button></form>`),
  );
});

app.get("/login", async (c) => {
  const attempt = { state: oauth.randomState(), verifier: oauth.randomPKCECodeVerifier() };
  begin(c, { attempt });
  const there = oauth.buildAuthorizationUrl(gateway, {
    redirect_uri: callback.href,
    scope: "orders:read",
    state: attempt.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(attempt.verifier),
    code_challenge_method: "S256",
  });
  return c.redirect(there.href);
});

app.get("/callback", async (c) => {
  const attempt = sessions.get(getCookie(c, cookie) ?? "")?.attempt;
  if (!attempt) return c.redirect("/login");
  const called = new URL(callback);
  called.search = new URL(c.req.url).search;
  try {
    const checks = { pkceCodeVerifier: attempt.verifier, expectedState: attempt.state };
    begin(c, { tokens: kept(await oauth.authorizationCodeGrant(gateway, called, checks)) });
    return c.redirect("/");
  } catch (problem) {
    end(c);
    const denied = problem instanceof oauth.AuthorizationResponseError && problem.error === "access_denied";
    if (!denied) console.error(problem);
    const text = denied ? "You did not allow it." : "Signing in did not work.";
    return c.html(page(html`<p>${text}</p><p><a href="/login">Try again</a></p>`), denied ? 403 : 502);
  }
});

app.post("/logout", async (c) => {
  const tokens = sessions.get(getCookie(c, cookie) ?? "")?.tokens;
  end(c);
  if (tokens) await oauth.tokenRevocation(gateway, tokens.refresh ?? tokens.access);
  return c.redirect("/", 303);
});

// On the net, TLS ends before this.
export default { hostname: "127.0.0.1", port: Number(home.port || 3000), fetch: app.fetch };
