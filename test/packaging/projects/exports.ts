// What an app exports is named by the compiler in its declarations: every type of it must be one that hookgate exports.
import express from "express";
import {
  closeOnSignals,
  createAllowlist,
  createExpressServer,
  createReceiver,
  credentialsFromFile,
  credentialsFromLookup,
  defineCredentials,
  type EventOf,
  type HandlerOf,
  healthHandler,
  parseDuration,
  requireAllowedIp,
  requireAuth,
  uncheckedTypes,
} from "hookgate";
import { customSource } from "hookgate/custom";
import { github } from "hookgate/github";
import { sqliteEngine } from "hookgate/sqlite";
import { createFakeClock, createTestSigner, memoryEngine } from "hookgate/testing";
import { z } from "zod";

const auth = { serviceKey: process.env.HOOK_SERVICE_KEY, jwt: { issuer: "a", secret: process.env.S } };
export const events = uncheckedTypes<{ a: string }>();
export const receiver = createReceiver({
  name: "x",
  auth,
  events: { "a.b": z.object({ x: z.string() }), "a.c": z.string() },
  inbox: { engine: sqliteEngine("x.db") },
});
export const plain = createReceiver({
  name: "y",
  auth,
  hooks: { refused: process.env.X ? () => {} : undefined },
});
export const typed = createReceiver({ name: "z", auth, events });
export const hub = createReceiver({ name: "hub", source: github({ secret: process.env.HUB }) });
export type A = EventOf<typeof receiver, "a.*">;
export const onB: HandlerOf<typeof receiver, "a.b"> = async (event, context) => {
  await context.complete((tx) => tx.run("x", [event.data.x]));
  return 1;
};
receiver.on("a.b", onB, { maxAttempts: 3, orderingKey: (event) => event.data.x });
export const list = () => receiver.inbox.list();
export const stats = () => receiver.inbox.stats();
export const backup = () => receiver.inbox.backup("x");
export const one = () => receiver.inbox.get("x");
export const health = () => plain.health();
export const why = () => plain.explain({ headers: {} });
export const mw = plain.middleware();
export const member = plain.middleware;
export const listener = plain.requestListener("/x");
export const guard = requireAuth({ serviceKey: process.env.K });
export const ips = requireAllowedIp(["127.0.0.1"]);
export const allowlist = createAllowlist(["127.0.0.1"]);
export const creds = defineCredentials({ tenants: {} });
export const lookup = credentialsFromLookup({ key: () => undefined });
export const file = () => credentialsFromFile("x.json");
export const h = healthHandler(receiver);
const app = express();
export const server = createExpressServer(app);
export const closing = () => closeOnSignals(server, receiver);
export const ms = parseDuration("1s");
export const engine = sqliteEngine("y.db");
export const memory = memoryEngine();
export const clock = createFakeClock();
export const signer = () => createTestSigner("ES256");
export const custom = customSource({ name: "c", signature: { header: "x", secret: process.env.C } });
app.get("/health", h);
