import { generateKeyPairSync } from "node:crypto";
import { keyFile, serve } from "../serve.js";
import { createApp } from "./app.js";

const partner = generateKeyPairSync("ed25519", {
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const publicUrl = process.env.PUBLIC_URL ?? "https://hooks.example.com";
const { app, receiver } = createApp({
  publicKey: partner.publicKey,
  publicUrl,
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/partner";
const key = `--key-id partner-1 --private-key-file ${keyFile(partner.privateKey)}`;
const send = `--source http-signature --type shipment.sent ${key} --public-url ${publicUrl}`;
const data = { parcel: "P-17" };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "a parcel", path, send, data },
    { about: "refused: forged", path, send: `${send} --tamper`, data },
  ],
});
