import { randomBytes } from "node:crypto";
import { inboxFile, secretOf, serve } from "../serve.js";
import { createApp } from "./app.js";

const publicUrl = process.env.PUBLIC_URL ?? "https://hooks.example.com";
const { app, receiver } = createApp({
  authToken: secretOf("TWILIO_AUTH_TOKEN", () => randomBytes(16).toString("hex")),
  publicUrl,
  engine: inboxFile("twilio"),
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/twilio";
const send = "--source twilio --secret-env TWILIO_AUTH_TOKEN";
const url = `--public-url ${publicUrl}`;
const received = { From: "+15550100", To: "+15550199", Body: "Hello" };
const failed = { To: "+15550100", ErrorCode: "30003" };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "a message", path, send: `${send} ${url} --type message.received`, data: received },
    { about: "a failure", path, send: `${send} ${url} --type message.undelivered`, data: failed },
    {
      about: "refused: signed for another URL",
      path,
      send: `${send} --type message.received`,
      data: received,
    },
  ],
});
