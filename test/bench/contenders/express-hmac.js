// A webhook route as one writes it by hand: express.raw(), node:crypto's HMAC over the bytes, JSON.parse, a Map of handlers.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import express from "express";
import { handle } from "../settings.js";

export function create({ secret }) {
  const handlers = new Map([["push", handle]]);
  const app = express();
  app.post("/hooks/orders", express.raw({ type: "application/json", limit: 262_144 }), (req, res) => {
    const given = Buffer.from(req.get("x-hub-signature-256") ?? "");
    const mac = createHmac("sha256", secret).update(req.body).digest("hex");
    const expected = Buffer.from(`sha256=${mac}`);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return res.sendStatus(401);
    handlers.get(req.get("x-github-event"))?.(JSON.parse(req.body.toString("utf8")));
    res.json({ status: "handled" });
  });
  return createServer(app);
}
