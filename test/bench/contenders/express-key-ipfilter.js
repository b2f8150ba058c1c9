// Express 5, a key check written by hand, express-ipfilter, express.json().
import { createServer } from "node:http";
import express from "express";
import { IpFilter } from "express-ipfilter";
import { handle } from "../settings.js";

export function create({ key, allowed }) {
  const app = express();
  app.use(IpFilter(allowed, { mode: "allow", log: false }));
  app.post(
    "/hooks/orders",
    (req, res, next) => (req.get("key") === key ? next() : res.status(401).json({ error: "unauthorized" })),
    express.json({ limit: 262_144 }),
    (req, res) => {
      handle(req.body);
      res.json({ status: "handled" });
    },
  );
  app.use((error, _req, res, _next) => res.status(error.status ?? 500).json({ error: "refused" }));
  return createServer(app);
}
