// Jira, Confluence or Bitbucket by an Atlassian Connect app: each installation has a shared secret, found by the clientKey
// that its tokens name, and an uninstalled one is refused at once. There is no inbox: Jira sends again what failed.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import { type AtlassianClient, atlassianConnect } from "hookgate/atlassian-connect";

export interface AppOptions {
  /** `baseUrl` of the app's descriptor. */
  readonly baseUrl: string;
  /** Finds an installation by its clientKey, in the database that the app's `installed` callback writes. */
  readonly findClient: (clientKey: string) => Promise<AtlassianClient | undefined>;
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ baseUrl, findClient, say, logger }: AppOptions) {
  const receiver = createReceiver({
    name: "jira",
    source: atlassianConnect({ baseUrl, client: findClient }),
    logger,
  });
  receiver.on("jira:issue_updated", ({ data }) => {
    const { key } = data.issue as { readonly key: string };
    say(`${key} was updated`);
  });

  const app: Express = express();
  app.all("/hooks/jira", receiver.middleware());
  return { app, receiver };
}
