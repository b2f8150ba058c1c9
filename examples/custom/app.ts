// Two senders of one's own in one app, each on a route and with a receiver of its own.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import { z } from "zod";
import { paddle, zoom } from "./sources.js";

const meeting = z.object({ object: z.object({ topic: z.string() }) });

export function createApp(say: (line: string) => void, logger?: Logger) {
  const billing = createReceiver({ name: "billing", source: paddle, logger });
  billing.on("transaction.paid", ({ id, data }) => say(`${data.data.id} was paid (${id})`));

  const meetings = createReceiver({
    name: "meetings",
    source: zoom,
    events: { "meeting.started": meeting, "meeting.ended": meeting },
    logger,
  });
  meetings.on("meeting.*", ({ type, data }) => say(`${type}: ${data.object.topic}`));

  const app: Express = express();
  app.all("/hooks/paddle", billing.middleware());
  app.all("/hooks/zoom", meetings.middleware());
  return { app, receivers: [billing, meetings] };
}
