import { secretOf, serve } from "../serve.js";
import { createApp } from "./app.js";

const baseUrl = "https://app.example.com";
const installations = new Map([["client-1", { sharedSecret: secretOf("SHARED_SECRET") }]]);
const { app, receiver } = createApp({
  baseUrl,
  findClient: async (clientKey) => installations.get(clientKey),
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/jira";
const send = `--source atlassian-connect --type jira:issue_updated --secret-env SHARED_SECRET --public-url ${baseUrl}`;
const data = { issue: { key: "DEMO-7" } };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "an issue", path, send: `${send} --issuer client-1`, data },
    { about: "refused: not installed", path, send: `${send} --issuer client-2`, data },
    { about: "refused: forged", path, send: `${send} --issuer client-1 --tamper`, data },
  ],
});
