// Vonage: messages that came in, and what became of those that were sent. Each brings a token that names the body's hash.
// There is no inbox: where a handler fails, Vonage sends again for 24 hours.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import { vonage } from "hookgate/vonage";
import { z } from "zod";

export interface AppOptions {
  /** The account's signature secret, not the API secret. */
  readonly signatureSecret: string;
  /** The account's API key: tokens of others are then refused. */
  readonly apiKey?: string | undefined;
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ signatureSecret, apiKey, say, logger }: AppOptions) {
  const receiver = createReceiver({
    name: "messages",
    source: vonage({ secret: signatureSecret, apiKey }),
    events: {
      "message.received": z.object({ from: z.string(), text: z.string().optional() }),
      "message.rejected": z.object({ to: z.string(), error: z.object({ title: z.string() }).optional() }),
    },
    logger,
  });
  receiver.on("message.received", ({ data }) => say(`${data.from} writes: ${data.text ?? "no text"}`));
  receiver.on("message.rejected", ({ data }) => {
    say(`the message to ${data.to} was rejected: ${data.error?.title ?? "no reason given"}`);
  });

  const app: Express = express();
  app.all("/hooks/vonage", receiver.middleware());
  return { app, receiver };
}
