// Twilio: messages that came in, and what became of those that were sent. Twilio signs the URL that it calls, which only
// you know, and sends nothing again once it was connected, so what is accepted is on disk before it is answered.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import type { SqliteTransaction } from "hookgate/sqlite";
import { twilio } from "hookgate/twilio";

export interface AppOptions {
  /** The account's auth token. */
  readonly authToken: string;
  /** The origin in the URL that Twilio was given, such as https://hooks.example.com. */
  readonly publicUrl: string;
  readonly engine: InboxEngine<SqliteTransaction>;
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ authToken, publicUrl, engine, say, logger }: AppOptions) {
  const receiver = createReceiver({
    name: "sms",
    source: twilio({ secret: authToken, publicUrl }),
    inbox: { engine },
    logger,
  });
  receiver.on("message.received", ({ data }) => say(`${data.From} writes: ${data.Body}`));
  receiver.on(["message.failed", "message.undelivered"], ({ data }) => {
    say(`${data.MessageSid} to ${data.To} was not delivered: ${data.ErrorCode}`);
  });

  const app: Express = express();
  app.all("/hooks/twilio", receiver.middleware());
  return { app, receiver };
}
