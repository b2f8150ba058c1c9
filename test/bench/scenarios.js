// What is sent in each scenario, as bytes made beforehand, and what every contender must answer.
import { createHmac } from "node:crypto";
import { orderEvent } from "./payloads.js";
import { settings, token } from "./settings.js";

/** Tokens that no contender has seen; the pool is large enough for a round, and a new one is made for each round. */
const freshTokens = 20_000;

function request(body, headers) {
  const lines = ["POST /hooks/orders HTTP/1.1", "Host: bench.test", "User-Agent: bench/1", "Accept: */*"];
  lines.push("Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`, ...headers);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

function credentialHeaders(kind, body, { bad = false } = {}) {
  switch (kind) {
    case "key":
      return [`key: ${bad ? settings.key.replace(/.$/, "x") : settings.key}`];
    case "jwt":
      return [`Authorization: Bearer ${token(bad ? { secret: "x".repeat(48) } : {})}`];
    case "signature": {
      const hmac = createHmac("sha256", bad ? "x".repeat(48) : settings.secret)
        .update(body)
        .digest("hex");
      return ["X-GitHub-Event: push", "X-GitHub-Delivery: d1", `X-Hub-Signature-256: sha256=${hmac}`];
    }
    default:
      return [];
  }
}

/** `kind`: none, key, jwt or signature. Gives `{ next, status }`, `status` being what must come back. */
export const scenarios = {
  accept: (kind, bytes) => {
    const body = orderEvent(bytes);
    const sent = request(body, credentialHeaders(kind, body));
    return { next: () => sent, status: /^2/ };
  },
  "accept, token not seen before": (_kind, bytes) => {
    const body = orderEvent(bytes);
    const run = Math.random().toString(36).slice(2);
    const pool = Array.from({ length: freshTokens }, (_, n) =>
      request(body, [`Authorization: Bearer ${token({ jti: `${run}-${n}` })}`]),
    );
    let n = 0;
    return { next: () => pool[n++ % pool.length], status: /^2/ };
  },
  "refuse: bad credential": (kind, bytes) => {
    const body = orderEvent(bytes);
    const sent = request(body, credentialHeaders(kind, body, { bad: true }));
    return { next: () => sent, status: /^4/ };
  },
  "refuse: bad address": (kind, bytes) => {
    const body = orderEvent(bytes);
    const sent = request(body, credentialHeaders(kind, body));
    return { next: () => sent, status: /^4/ };
  },
  mixed: (kind, bytes) => {
    const body = orderEvent(bytes);
    const good = request(body, credentialHeaders(kind, body));
    const bad = request(body, credentialHeaders(kind, body, { bad: true }));
    let n = 0;
    // Nine good ones, then a bad one.
    return { next: () => (++n % 10 === 0 ? bad : good), status: /^[24]/ };
  },
  // Far more senders than there is room for; what has no room is to hear so at once.
  overload: (kind, bytes) => {
    const body = orderEvent(bytes);
    const sent = request(body, credentialHeaders(kind, body));
    // Fewer than fit into the backlog of a listening socket (511), so that none waits for the kernel to try again.
    return { next: () => sent, status: /^(2|503)/, connections: 384 };
  },
};
