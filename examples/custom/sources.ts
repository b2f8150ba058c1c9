// Senders that have no source in the package, declared. docs/guides/custom-source.md says what to look up, and has more.
// `npx hookgate send --source ./sources.js#paddle` sends as they would.
import { createHmac } from "node:crypto";
import { customSource } from "hookgate/custom";

/** Paddle: a timestamp and a signature in one header; type and id stand in the body. */
export const paddle = customSource<{ "transaction.paid": { readonly data: { readonly id: string } } }>({
  name: "paddle",
  type: "event_type",
  id: "event_id",
  signature: {
    header: "Paddle-Signature", // ts=1671552777;h1=eb4d0dc8…
    parts: { separator: ";" },
    timestamp: { part: "ts" },
    prefix: "h1",
    signed: "{timestamp}:{body}",
    secret: process.env.PADDLE_SECRET,
  },
  deadline: "5s",
});

const zoomSecret = process.env.ZOOM_SECRET_TOKEN ?? "";

/** Zoom: a challenge that wants the secret to be shown in use, in an answer of its own. */
export const zoom = customSource({
  name: "zoom",
  type: "event",
  data: "payload",
  signature: {
    header: "x-zm-signature",
    timestamp: "x-zm-request-timestamp",
    prefix: "v0=",
    signed: "v0:{timestamp}:{body}",
    secret: zoomSecret,
    insecureShortSecret: true, // Zoom's have 22 characters
  },
  deadline: "3s",
  handshake({ body }) {
    const { event, payload } = (body ?? {}) as { event?: string; payload?: { plainToken?: string } };
    if (event !== "endpoint.url_validation") return undefined;
    const plainToken = payload?.plainToken ?? "";
    const encryptedToken = createHmac("sha256", zoomSecret).update(plainToken).digest("hex");
    return { status: 200, body: { plainToken, encryptedToken } };
  },
});
