// CloudEvents from a broker: in binary, structured and batch mode on one route, with the handshake that Azure Event Grid
// and others hold before they send. What is accepted is on disk before it is answered.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import { cloudEvents } from "hookgate/cloudevents";
import type { InboxEngine } from "hookgate/engine";
import { z } from "zod";

/** What of each event the handlers look at: its attributes, and the data within. */
const order = z.object({
  source: z.string(),
  subject: z.string(),
  time: z.string().optional(),
  data: z.object({ total: z.number() }),
});

export interface AppOptions<Tx> {
  readonly engine: InboxEngine<Tx>;
  readonly serviceKey: string;
  /** Who may ask to send: the value of `WebHook-Request-Origin`. */
  readonly allowedOrigins: readonly string[];
  readonly onOrder: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp<Tx>({ engine, serviceKey, allowedOrigins, onOrder, logger }: AppOptions<Tx>) {
  const receiver = createReceiver({
    name: "orders",
    source: cloudEvents({ allowedOrigins, ratePerMinute: 600 }),
    events: { "com.example.order.paid": order, "com.example.order.cancelled": order },
    auth: { serviceKey },
    inbox: { engine },
    logger,
  });
  receiver.on("com.example.order.*", ({ id, type, data: event }) => {
    const what = type === "com.example.order.paid" ? "paid" : "cancelled";
    onOrder(`order ${event.subject} of ${event.source} was ${what}: ${event.data.total} (event ${id})`);
  });
  const app: Express = express();
  app.all("/events", receiver.middleware()); // all: the handshake is an OPTIONS request
  return { app, receiver };
}
