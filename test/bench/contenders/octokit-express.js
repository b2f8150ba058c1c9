// octokit/webhooks mounted in Express 5.
import { createServer } from "node:http";
import { createNodeMiddleware } from "@octokit/webhooks";
import express from "express";
import { log, webhooks } from "./octokit-node.js";

export function create(settings) {
  const app = express();
  app.use(createNodeMiddleware(webhooks(settings), { path: "/hooks/orders", log }));
  return createServer(app);
}
