// Express 5 with a key check and a handler that takes 20 ms; nothing bounds what is in progress.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";

export function create({ key }) {
  const app = express();
  app.post(
    "/hooks/orders",
    (req, res, next) => (req.get("key") === key ? next() : res.status(401).json({ error: "unauthorized" })),
    express.json({ limit: 262_144 }),
    async (_req, res) => {
      await sleep(20);
      res.json({ status: "handled" });
    },
  );
  return createServer(app);
}
