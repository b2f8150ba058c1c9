// Ours in front of Express 5.
import { createServer } from "node:http";
import express from "express";
import { receiver } from "./hookgate-middleware.js";

export function create(settings) {
  return createServer(receiver(settings).requestListener("/hooks/orders", express()));
}
