// `npm run example -- cloudevents` prints requests to try.
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteEngine } from "hookgate/sqlite";
import { listen } from "../serve.js";
import { createApp } from "./app.js";

const serviceKey = randomBytes(32).toString("base64url");
const { app, receiver } = createApp({
  engine: sqliteEngine(process.env.DB ?? join(tmpdir(), "hookgate-cloudevents.db")),
  serviceKey,
  allowedOrigins: [process.env.ORIGIN ?? "eventgrid.azure.net"],
  onOrder: (line) => console.log(`  ${line}`),
});
await receiver.start();

listen(app, [receiver], (url) => printRequests(`${url}/events`));

function printRequests(url: string): void {
  const run = randomBytes(3).toString("hex"); // the file remembers ids: those of this run are new
  const event = {
    specversion: "1.0",
    id: run,
    source: "/shop",
    type: "com.example.order.paid",
    subject: "A-17",
  };
  const curl = (headers: readonly string[], body: unknown): string =>
    [`curl -i ${url}`, ...headers.map((header) => `-H '${header}'`), `-d '${JSON.stringify(body)}'`].join(
      " \\\n  ",
    );
  const key = `key: ${serviceKey}`;
  const attributes = Object.entries(event).map(([name, value]) => `ce-${name}: ${value}`);
  const batch = [1, 2].map((at) => ({ ...event, id: `${run}-${at}`, data: { total: at } }));
  console.log(`
Listening on ${url}. Paste into another terminal:

# may that origin send?
curl -i -X OPTIONS ${url} -H 'WebHook-Request-Origin: ${process.env.ORIGIN ?? "eventgrid.azure.net"}'

# binary mode
${curl([...attributes, "content-type: application/json", key], { total: 42 })}

# structured mode; the same event, so it is a duplicate
${curl(["content-type: application/cloudevents+json", key], { ...event, data: { total: 42 } })}

# a batch
${curl(["content-type: application/cloudevents-batch+json", key], batch)}

What arrives is shown below.
`);
}
