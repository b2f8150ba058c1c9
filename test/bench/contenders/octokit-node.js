// octokit/webhooks on node:http: HMAC signature of the body instead of a key.
import { createServer } from "node:http";
import { createNodeMiddleware, Webhooks } from "@octokit/webhooks";
import { handle } from "../settings.js";

/** Its documented way to keep refusals off standard error. */
export const log = { debug() {}, info() {}, warn() {}, error() {} };

export function webhooks({ secret }) {
  const hooks = new Webhooks({ secret, log });
  hooks.on("push", ({ payload }) => handle(payload));
  return hooks;
}

export function create(settings) {
  return createServer(createNodeMiddleware(webhooks(settings), { path: "/hooks/orders", log }));
}
