// Written by hand on node:http: key compared, body collected, JSON parsed.
import { createServer } from "node:http";
import { handle } from "../settings.js";

export function create({ key }) {
  return createServer((req, res) => {
    if (req.method !== "POST" || req.headers.key !== key) {
      res.writeHead(401).end();
      return;
    }
    const chunks = [];
    req.on("data", (chunk) => chunks.push(chunk));
    req.on("end", () => {
      const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      handle(JSON.parse(body));
      const answer = '{"status":"handled"}';
      res.writeHead(200, { "Content-Type": "application/json", "Content-Length": answer.length });
      res.end(answer);
    });
  });
}
