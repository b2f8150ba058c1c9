// Bare Express 5 with express.json() and no authentication: the floor of what people write today.
import { createServer } from "node:http";
import express from "express";
import { handle } from "../settings.js";

export function create() {
  const app = express();
  app.post("/hooks/orders", express.json({ limit: 262_144 }), (req, res) => {
    handle(req.body);
    res.json({ status: "handled" });
  });
  return createServer(app);
}
