// Slack: events, a slash command and buttons on one URL. Slack waits 3 seconds, so work is done from the inbox, and a
// command is replied to through its response_url. `url_verification` is answered by the source.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import { slack } from "hookgate/slack";
import type { SqliteTransaction } from "hookgate/sqlite";

export interface AppOptions {
  /** The app's signing secret, under Basic Information. */
  readonly secret: string;
  readonly engine: InboxEngine<SqliteTransaction>;
  readonly say: (line: string) => void;
  /** For tests. */
  readonly fetch?: typeof globalThis.fetch;
  readonly logger?: Logger;
}

export function createApp({ secret, engine, say, fetch = globalThis.fetch, logger }: AppOptions) {
  const receiver = createReceiver({ name: "chat", source: slack({ secret }), inbox: { engine }, logger });
  receiver.on("app_mention", ({ data: { event } }) => say(`${event.user} says: ${event.text}`));
  receiver.on("command.deploy", async ({ data: command }, { signal }) => {
    say(`${command.user_id} deploys ${command.text}`);
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ text: `${command.text} is being deployed` });
    const answer = await fetch(command.response_url, { method: "POST", headers, body, signal });
    if (!answer.ok) throw new Error(`the reply was answered ${answer.status}`); // tried again
  });
  receiver.on("interaction.block_actions", ({ data }) => say(`${data.user.id} pressed a button`));

  const app: Express = express();
  app.all("/hooks/slack", receiver.middleware());
  return { app, receiver };
}
