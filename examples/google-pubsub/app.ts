// Google Cloud Pub/Sub: a push subscription that authenticates by OpenID Connect. There is no inbox: the topic keeps what
// is not acknowledged, and a handler that fails has the message sent again.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import { type GooglePubSubOptions, googlePubSub } from "hookgate/google-pubsub";
import { z } from "zod";

export interface AppOptions {
  /** The subscription's audience: unless it was set otherwise, the URL that it pushes to. */
  readonly audience: string;
  /** E-mail address of the service account that it pushes as. */
  readonly serviceAccount: string;
  /** For tests. Default: the keys that Google publishes. */
  readonly jwks?: GooglePubSubOptions["jwks"];
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ audience, serviceAccount, jwks, say, logger }: AppOptions) {
  const receiver = createReceiver({
    name: "orders",
    // The type is the attribute `eventType`; with data: "json" handlers get the message's data itself.
    source: googlePubSub({ audience, serviceAccount, data: "json", jwks }),
    events: { "order.paid": z.object({ orderId: z.string(), total: z.number() }) },
    logger,
  });
  receiver.on("order.paid", ({ id, data }) => say(`order ${data.orderId} was paid: ${data.total} (${id})`));

  const app: Express = express();
  app.all("/hooks/pubsub", receiver.middleware());
  return { app, receiver };
}
