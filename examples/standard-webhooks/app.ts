// Any sender that follows Standard Webhooks, or sends by Svix. The secret is being rotated: either of two may sign. There is
// no inbox: the handler runs before the answer, and where it fails, the sender sends again.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { z } from "zod";

export interface AppOptions {
  /** `whsec_…`, as the sender shows them. */
  readonly secrets: { readonly current: string; readonly old: string };
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ secrets, say, logger }: AppOptions) {
  const receiver = createReceiver({
    name: "users",
    source: standardWebhooks({
      secret: [
        { id: "current", secret: secrets.current },
        { id: "old", secret: secrets.old, expiresAt: "2099-01-31T00:00:00Z" },
      ],
      data: "data", // { type, timestamp, data }: handlers get the inner one
    }),
    events: {
      "user.created": z.object({ id: z.string(), email: z.string() }),
      "user.deleted": z.object({ id: z.string() }),
    },
    logger,
  });
  receiver.on("user.created", ({ data }) => say(`user ${data.id} was created: ${data.email}`));
  receiver.on("user.deleted", ({ id, data }) => say(`user ${data.id} was deleted (event ${id})`));

  const app: Express = express();
  app.all("/hooks/users", receiver.middleware());
  return { app, receiver };
}
