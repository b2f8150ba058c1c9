// Ours as middleware in Express 5: key or JWT, allowlist, strict JSON, dispatch by type.
import { createServer } from "node:http";
import express from "express";
import { createReceiver, uncheckedTypes } from "../../../dist/index.js";
import { handle } from "../settings.js";

export function receiver({ key, secret, issuer, audience, allowed }) {
  const made = createReceiver({
    name: "orders",
    events: uncheckedTypes(),
    auth: { serviceKey: key, jwt: { issuer, audience, secret } },
    allowIps: allowed,
  });
  made.on("order.paid", (event) => handle(event.data));
  return made;
}

export function create(settings) {
  const app = express();
  app.all("/hooks/orders", receiver(settings).middleware());
  return createServer(app);
}
