import { secretOf, serve } from "../serve.js";
import { createApp } from "./app.js";

const { app, receiver } = createApp({
  signatureSecret: secretOf("VONAGE_SIGNATURE_SECRET"),
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/vonage";
const send = "--source vonage --secret-env VONAGE_SIGNATURE_SECRET";
const received = { from: "15550100", text: "Hello" };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "a message", path, send: `${send} --type message.received`, data: received },
    { about: "refused: forged", path, send: `${send} --type message.received --tamper`, data: received },
  ],
});
