// octokit/webhooks mounted in Express 5, the app served by our createExpressServer.
import { createNodeMiddleware } from "@octokit/webhooks";
import express from "express";
import { createExpressServer } from "../../../dist/index.js";
import { log, webhooks } from "./octokit-node.js";

export function create(settings) {
  const app = express();
  app.use(createNodeMiddleware(webhooks(settings), { path: "/hooks/orders", log }));
  return createExpressServer(app);
}
