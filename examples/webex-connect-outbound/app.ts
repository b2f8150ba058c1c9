// Webex Connect's notifications on one route: what became of messages that were sent, and what customers answered. With
// them, on a route of its own, what happens in Webex's spaces. What is accepted is on disk before it is answered.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import { webex } from "hookgate/webex";
import { webexConnectOutbound } from "hookgate/webex-connect-outbound";

export interface AppOptions<Tx> {
  /** Called for each of the two receivers. */
  readonly createEngine: () => InboxEngine<Tx>;
  /** The hub secret of the outbound webhook. */
  readonly hubSecret: string;
  /** The `secret` that the webhook in Webex was registered with. */
  readonly webexSecret: string;
  readonly onLine: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp<Tx>({ createEngine, hubSecret, webexSecret, onLine, logger }: AppOptions<Tx>) {
  const connect = createReceiver({
    name: "connect",
    source: webexConnectOutbound({ secret: hubSecret }),
    ...{ inbox: { engine: createEngine() }, logger },
  });
  connect.on(["receipt.sms.undelivered", "receipt.sms.failed"], ({ data }) => {
    onLine(`SMS to ${data.destination} ${data.status}: ${data.description} (${data.code})`);
  });
  connect.on("receipt.*", ({ type, data }) => onLine(`${type} of ${data.transId}`), { name: "trace" });
  connect.on("message.whatsapp.received", ({ data }) => {
    const files = data.attachments.map(({ url, mimeType }) => ` [${mimeType} ${url}]`).join("");
    onLine(`WhatsApp from ${data.waid}: ${data.message}${files}`);
  });
  connect.on("message.sms.received", ({ data }) => onLine(`SMS from ${data.oa}: ${data.message}`));

  const spaces = createReceiver({
    name: "spaces",
    source: webex({ secret: webexSecret }),
    ...{ inbox: { engine: createEngine() }, logger },
  });
  spaces.on("messages.created", ({ data: { data } }) => {
    onLine(`message ${data.id} of ${data.personEmail}: fetch its text by its id`);
  });

  const app: Express = express();
  app.all("/connect", connect.middleware()); // all: the URL is tested by a HEAD request before it can be saved
  app.all("/spaces", spaces.middleware());
  return { app, connect, spaces };
}
