// `npm run example -- webex-connect-outbound` prints requests to try.
import { createHmac, randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteEngine } from "hookgate/sqlite";
import { listen } from "../serve.js";
import { createApp } from "./app.js";

const hubSecret = randomBytes(32).toString("base64url");
const webexSecret = randomBytes(32).toString("base64url");
const file = process.env.DB ?? join(tmpdir(), "hookgate-webex-connect-outbound.db");
const { app, connect, spaces } = createApp({
  ...{ createEngine: () => sqliteEngine(file), hubSecret, webexSecret },
  onLine: (line) => console.log(`  ${line}`),
});
await connect.start();
await spaces.start();

listen(app, [connect, spaces], printRequests);

function printRequests(url: string): void {
  const run = randomBytes(3).toString("hex"); // the file remembers ids: those of this run are new
  const receipt = {
    deliveryInfoNotification: {
      deliveryInfo: {
        ...{ timeStamp: new Date().toISOString(), Description: "Invalid address", code: "7102" },
        ...{ deliveryChannel: "SMS", deliveryStatus: "Un-Delivered" },
        ...{ destination: "447700900123", destinationType: "msisdn" },
      },
      transid: run,
    },
  };
  const message = {
    resource: "messages",
    event: "created",
    data: { id: run, personEmail: "ann@example.com" },
  };
  const curl = (
    path: string,
    header: string,
    body: object,
    hash: string,
    secret: string,
    prefix = "",
  ): string => {
    const text = JSON.stringify(body);
    const signature = createHmac(hash, secret).update(text).digest("hex");
    const lines = [`curl -i ${url}${path}`, `-H '${header}: ${prefix}${signature}'`];
    return [...lines, "-H 'content-type: application/json'", `-d '${text}'`].join(" \\\n  ");
  };
  console.log(`
Listening on ${url}. Paste into another terminal:

# may the URL be saved?
curl -I ${url}/connect

# a receipt; sent again, it is a duplicate
${curl("/connect", "x-hub-signature", receipt, "sha256", hubSecret, "sha256=")}

# a message in a space
${curl("/spaces", "x-spark-signature", message, "sha1", webexSecret)}
`);
}
