// Ours with an inbox in a SQLite file: as middleware in Express 5, the same with the handlers run beside, or in front.
import { createServer } from "node:http";
import { join } from "node:path";
import express from "express";
import { sqliteEngine } from "../../../dist/inbox/sqlite/index.js";
import { createExpressServer, createReceiver, uncheckedTypes } from "../../../dist/index.js";

export async function create({ key, way, folder, maxBacklog = 10_000_000, onHandle = () => {}, logger }) {
  let handled = 0;
  const receiver = createReceiver({
    name: "orders",
    events: uncheckedTypes(),
    auth: { serviceKey: key },
    inbox: { engine: sqliteEngine(join(folder, "inbox.db")), workers: way.endsWith("workers"), maxBacklog },
    ...(logger === undefined ? {} : { logger }),
  });
  receiver.on("order.paid", (event) => {
    handled++;
    onHandle(event);
  });
  await receiver.start();
  const app = express();
  if (!way.startsWith("front")) app.all("/hooks/orders", receiver.middleware());
  const server =
    way === "express-server"
      ? createExpressServer(app)
      : createServer(way.startsWith("front") ? receiver.requestListener("/hooks/orders", app) : app);
  return {
    server,
    receiver,
    figures: () => ({ handled }),
    stored: async () => (await receiver.inbox.list({ limit: 1_000 })).items.length,
    close: () => receiver.close(),
  };
}
