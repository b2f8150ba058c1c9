import { inboxFile, secretOf, serve } from "../serve.js";
import { createApp } from "./app.js";

const { app, receiver } = createApp({
  secret: secretOf("SHOPIFY_CLIENT_SECRET"),
  engine: inboxFile("shopify"),
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/shopify";
const send = "--source shopify --secret-env SHOPIFY_CLIENT_SECRET";
const order = { id: 8209829119, name: "#9999", total_price: "398.00", currency: "USD" };
const redact = { shop_domain: "example.myshopify.com" };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "an order", path, send: `${send} --type orders.create`, data: order },
    { about: "the shop's data shall go", path, send: `${send} --type shop.redact`, data: redact },
    { about: "refused: forged", path, send: `${send} --type orders.create --tamper`, data: order },
  ],
});
