// Express 5, express-oauth2-jwt-bearer, express-ipfilter, express.json().
import { createServer } from "node:http";
import express from "express";
import { IpFilter } from "express-ipfilter";
import { auth } from "express-oauth2-jwt-bearer";
import { handle } from "../settings.js";

export function create({ secret, issuer, audience, allowed }) {
  const app = express();
  app.use(IpFilter(allowed, { mode: "allow", log: false }));
  app.post(
    "/hooks/orders",
    auth({ secret, issuer, audience, tokenSigningAlg: "HS256" }),
    express.json({ limit: 262_144 }),
    (req, res) => {
      handle(req.body);
      res.json({ status: "handled" });
    },
  );
  app.use((error, _req, res, _next) => res.status(error.status ?? 500).json({ error: "refused" }));
  return createServer(app);
}
