// Ours as middleware in Express 5: GitHub's signature, strict JSON, dispatch by type.
import { createServer } from "node:http";
import express from "express";
import { createReceiver, uncheckedTypes } from "../../../dist/index.js";
import { github } from "../../../dist/sources/github.js";
import { handle } from "../settings.js";

export function receiver({ secret, allowed }) {
  const made = createReceiver({
    name: "orders",
    events: uncheckedTypes(),
    source: github({ secret }),
    allowIps: allowed,
  });
  made.on("push", (event) => handle(event.data));
  return made;
}

export function create(settings) {
  const app = express();
  app.all("/hooks/orders", receiver(settings).middleware());
  return createServer(app);
}
