// Ours as middleware in Express 5 with GitHub's signature, the app served by createExpressServer.
import express from "express";
import { createExpressServer } from "../../../dist/index.js";
import { receiver } from "./hookgate-signature.js";

export function create(settings) {
  const app = express();
  app.all("/hooks/orders", receiver(settings).middleware());
  return createExpressServer(app);
}
