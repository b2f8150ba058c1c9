// Ours in front of Express: GitHub's signature, strict JSON, dispatch by type.
import { createServer } from "node:http";
import express from "express";
import { receiver } from "./hookgate-signature.js";

export function create(settings) {
  return createServer(receiver(settings).requestListener("/hooks/orders", express()));
}
