import { inboxFile, secretOf, serve } from "../serve.js";
import { createApp, tables } from "./app.js";

const { app, receiver } = createApp({
  secret: secretOf("STRIPE_SECRET"),
  engine: inboxFile("stripe", tables),
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/stripe";
const send = "--source stripe --secret-env STRIPE_SECRET --type invoice.paid";
const data = { id: "in_1", customer: "cus_9", amount_paid: 1200, currency: "eur" };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "an invoice, twice: the second is a duplicate", path, send: `${send} --repeat 2`, data },
    { about: "refused: forged", path, send: `${send} --tamper`, data },
  ],
});
