// GitHub: pushes, issues and pull requests. GitHub sends nothing again by itself, so what is accepted is on disk before
// it is answered. Payloads are typed by @octokit/webhooks-types.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import { github } from "hookgate/github";
import type { SqliteTransaction } from "hookgate/sqlite";

export interface AppOptions {
  /** The webhook's secret, as it was typed into its settings. */
  readonly secret: string;
  readonly engine: InboxEngine<SqliteTransaction>;
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ secret, engine, say, logger }: AppOptions) {
  const receiver = createReceiver({ name: "hub", source: github({ secret }), inbox: { engine }, logger });
  receiver.on("ping", ({ data }) => say(`the webhook is set up: ${data.zen}`));
  receiver.on("push", ({ data }) => {
    say(`${data.pusher.name} pushed ${data.commits.length} commits to ${data.ref}`);
  });
  receiver.on("issues.opened", ({ data }) => say(`issue ${data.issue.number}: ${data.issue.title}`));
  receiver.on("pull_request.*", ({ data }) => {
    say(`pull request ${data.number} was ${data.action}: ${data.pull_request.title}`);
  });

  const app: Express = express();
  app.all("/hooks/github", receiver.middleware());
  return { app, receiver };
}
