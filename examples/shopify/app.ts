// Shopify: orders, with a schema, and the requests about personal data that every app must answer. Shopify waits 5 seconds
// and may remove a subscription that fails, so what is accepted is on disk before it is answered.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import { shopify } from "hookgate/shopify";
import type { SqliteTransaction } from "hookgate/sqlite";
import { z } from "zod";

const order = z.object({ id: z.number(), name: z.string(), total_price: z.string(), currency: z.string() });
const personalData = z.object({ shop_domain: z.string() });

export interface AppOptions {
  /** The app's client secret. */
  readonly secret: string;
  readonly engine: InboxEngine<SqliteTransaction>;
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ secret, engine, say, logger }: AppOptions) {
  const receiver = createReceiver({
    name: "shop",
    source: shopify({ secret }),
    events: {
      "orders.create": order, // topics with a dot for the slash
      "orders.cancelled": order,
      "customers.data_request": personalData,
      "customers.redact": personalData,
      "shop.redact": personalData,
    },
    inbox: { engine },
    logger,
  });
  receiver.on("orders.create", ({ data }) => say(`order ${data.name}: ${data.total_price} ${data.currency}`));
  receiver.on("orders.cancelled", ({ data }) => say(`order ${data.name} was cancelled`));
  receiver.on(["customers.data_request", "customers.redact", "shop.redact"], ({ type, data }) => {
    say(`${type} of ${data.shop_domain}`);
  });

  const app: Express = express();
  app.all("/hooks/shopify", receiver.middleware());
  return { app, receiver };
}
