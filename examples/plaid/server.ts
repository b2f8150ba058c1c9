// With PLAID_CLIENT_ID and PLAID_SECRET it asks Plaid's sandbox; without them it has a key pair of its own.
import { generateKeyPairSync } from "node:crypto";
import type { PlaidKey } from "hookgate/plaid";
import { keyFile, serve } from "../serve.js";
import { createApp, plaidKeys } from "./app.js";

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid: "plaid-1" } as PlaidKey;
const { PLAID_CLIENT_ID: clientId, PLAID_SECRET: secret } = process.env;
const { app, receiver } = createApp({
  findKey:
    clientId !== undefined && secret !== undefined
      ? plaidKeys("https://sandbox.plaid.com", clientId, secret)
      : async (keyId) => (keyId === "plaid-1" ? jwk : undefined),
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/plaid";
const pem = pair.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
const send = `--source plaid --type TRANSACTIONS.SYNC_UPDATES_AVAILABLE --private-key-file ${keyFile(pem)} --key-id`;
const data = { item_id: "item-1" };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "new transactions", path, send: `${send} plaid-1`, data },
    { about: "refused: a key that Plaid does not know", path, send: `${send} plaid-2`, data },
    { about: "refused: forged", path, send: `${send} plaid-1 --tamper`, data },
  ],
});
