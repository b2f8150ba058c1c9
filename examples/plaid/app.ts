// Plaid: each webhook brings a token, signed by a key that Plaid is asked for by its id. What was found is remembered, and
// unknown ids are asked for a few times a minute alone.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import { type PlaidKey, plaid } from "hookgate/plaid";

export interface AppOptions {
  /** `plaidKeys`, or `async (key_id) => (await client.webhookVerificationKeyGet({ key_id })).data.key` of Plaid's package. */
  readonly findKey: (keyId: string) => Promise<PlaidKey | undefined>;
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ findKey, say, logger }: AppOptions) {
  const receiver = createReceiver({ name: "bank", source: plaid({ key: findKey }), logger });
  receiver.on("TRANSACTIONS.SYNC_UPDATES_AVAILABLE", ({ data }) =>
    say(`new transactions of ${data.item_id}`),
  );
  receiver.on("ITEM.*", ({ data }) => say(`${data.webhook_code} of ${data.item_id}`));

  const app: Express = express();
  app.all("/hooks/plaid", receiver.middleware());
  return { app, receiver };
}

/** Asks Plaid for its keys; where that fails, the delivery is answered 503, and Plaid sends it again. */
export function plaidKeys(host: string, client_id: string, secret: string): AppOptions["findKey"] {
  return async (key_id) => {
    const answer = await fetch(`${host}/webhook_verification_key/get`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ client_id, secret, key_id }),
    });
    if (answer.status === 400) return undefined; // no such key
    if (!answer.ok) throw new Error(`Plaid answered ${answer.status}`);
    return ((await answer.json()) as { readonly key: PlaidKey }).key;
  };
}
