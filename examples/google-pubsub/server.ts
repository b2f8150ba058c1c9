import { generateKeyPairSync } from "node:crypto";
import { keyFile, serve } from "../serve.js";
import { createApp } from "./app.js";

// In place of Google's: leave `jwks` out for real messages.
const google = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = { ...google.publicKey.export({ format: "jwk" }), kty: "RSA", kid: "google-1" };
const audience = "https://hooks.example.com/hooks/pubsub";
const serviceAccount = "push@example.iam.gserviceaccount.com";
const { app, receiver } = createApp({
  audience,
  serviceAccount,
  jwks: { keys: [jwk] },
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/pubsub";
const pem = google.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
const key = `--key-id google-1 --private-key-file ${keyFile(pem)} --audience ${audience}`;
const send = `--source google-pubsub --type order.paid ${key} --account`;
const data = { orderId: "A-17", total: 42 };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "an order", path, send: `${send} ${serviceAccount}`, data },
    { about: "refused: another account of Google's", path, send: `${send} eve@example.com`, data },
    { about: "refused: forged", path, send: `${send} ${serviceAccount} --tamper`, data },
  ],
});
