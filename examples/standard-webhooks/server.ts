import { randomBytes } from "node:crypto";
import { secretOf, serve } from "../serve.js";
import { createApp } from "./app.js";

const make = () => `whsec_${randomBytes(32).toString("base64")}`;
const secrets = { current: secretOf("WEBHOOK_SECRET", make), old: secretOf("WEBHOOK_OLD_SECRET", make) };
const { app, receiver } = createApp({ secrets, say: (line) => console.log(`  ${line}`) });

const path = "/hooks/users";
const created = "--type user.created --secret-env WEBHOOK_SECRET";
const deleted = "--type user.deleted --secret-env WEBHOOK_OLD_SECRET";
// `hookgate send` knows of no option `data`: what it is given is the whole body.
const data = { data: { id: "usr_1", email: "ann@example.com" } };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "a new user", path, send: `--source standard-webhooks ${created}`, data },
    { about: "by Svix, with the old secret", path, send: `--source svix ${deleted}`, data },
    { about: "refused: no e-mail address", path, send: `--source svix ${created}`, data: { data: {} } },
    { about: "refused: forged", path, send: `--source standard-webhooks ${created} --tamper`, data },
  ],
});
