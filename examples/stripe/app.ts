// Stripe: an invoice that was paid is entered into a table, once, together with the completion of its task. Stripe sends
// an event again for three days, and may send it twice anyway. Events are typed by the package stripe.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import type { SqliteTransaction } from "hookgate/sqlite";
import { stripe } from "hookgate/stripe";

export interface AppOptions {
  /** The endpoint's signing secret, `whsec_…`. */
  readonly secret: string;
  /** On a file with `tables`. */
  readonly engine: InboxEngine<SqliteTransaction>;
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export const tables = [
  "CREATE TABLE IF NOT EXISTS payments (invoice TEXT PRIMARY KEY, customer TEXT, amount INTEGER NOT NULL)",
];

export function createApp({ secret, engine, say, logger }: AppOptions) {
  const receiver = createReceiver({ name: "billing", source: stripe({ secret }), inbox: { engine }, logger });
  receiver.on("invoice.paid", async ({ data: event }, context) => {
    const { id = "", customer, amount_paid, currency } = event.data.object;
    const payer = typeof customer === "string" ? customer : (customer?.id ?? null);
    await context.complete((tx) => {
      tx.run("INSERT INTO payments VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [id, payer, amount_paid]);
    });
    say(`${payer} paid ${amount_paid} ${currency} for ${id}`);
  });
  receiver.on("customer.subscription.*", ({ type, data: event }) => {
    if (type === "customer.subscription.deleted") say(`${event.data.object.id} has ended`);
  });

  const app: Express = express();
  app.all("/hooks/stripe", receiver.middleware());
  return { app, receiver };
}
