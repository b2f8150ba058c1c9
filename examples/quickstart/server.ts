// A receiver that runs as it is: `npm start` in the repository. It makes a key and a secret for itself, prints
// requests to try, and shows what arrives. What it accepts is in a file, so that a restart finds it.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { closeOnSignals, createReceiver, type Logger } from "hookgate";
import { sqliteEngine } from "hookgate/sqlite";
import { SignJWT } from "jose";
import { z } from "zod";

const serviceKey = randomBytes(32).toString("base64url");
const jwtSecret = randomBytes(32);
const file = process.env.DB ?? join(tmpdir(), "hookgate-quickstart.db");

const show = (level: string) => (details: object, message: string) =>
  console.log(`  ${level} ${message}`, JSON.stringify(details));
const logger: Logger = { debug() {}, info: show("info"), warn: show("warn"), error: show("error") };

const receiver = createReceiver({
  name: "orders",
  events: {
    "order.paid": z.object({ orderId: z.string(), total: z.number() }),
    "order.refunded": z.object({ orderId: z.string(), reason: z.string() }),
  },
  auth: { serviceKey, jwt: { issuer: "orders", secret: jwtSecret } },
  allowIps: ["127.0.0.1", "::1"],
  inbox: { engine: sqliteEngine(file) },
  logger,
});

receiver.on("order.paid", (event, { caller }) => {
  console.log(
    `  order ${event.data.orderId} was paid: ${event.data.total} (caller known by ${caller.method})`,
  );
});
receiver.on("order.refunded", (event, { attempt }) => {
  if (attempt === 1) throw new Error("the bank does not answer (made up: the second attempt succeeds)");
  console.log(`  order ${event.data.orderId} was refunded at attempt ${attempt}: ${event.data.reason}`);
});

const app = express();
app.all("/hooks/orders", receiver.middleware());
await receiver.start();

const token = await new SignJWT({})
  .setProtectedHeader({ alg: "HS256" })
  .setIssuer("orders")
  .setIssuedAt()
  .setExpirationTime("2h")
  .sign(jwtSecret);

const server = createServer(app);
server.on("error", (error: NodeJS.ErrnoException) => {
  const taken = error.code === "EADDRINUSE";
  console.error(
    taken
      ? "The port is taken; choose another one: PORT=3001 npm start"
      : `The server cannot listen: ${error.message}`,
  );
  process.exit(1);
});
server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  printRequests((server.address() as AddressInfo).port);
});
closeOnSignals(server, receiver); // SIGTERM, SIGINT: what is not done waits in the file

function printRequests(port: number): void {
  const curl = (body: object, ...headers: string[]): string =>
    [
      `curl -i http://127.0.0.1:${port}/hooks/orders`,
      ...["content-type: application/json", ...headers].map((header) => `-H '${header}'`),
      `-d '${JSON.stringify(body)}'`,
    ].join(" \\\n  ");
  const run = randomBytes(3).toString("hex"); // the file remembers ids: those of this run are new
  const paid = { id: `evt_${run}_1`, type: "order.paid", orderId: "A-17", total: 42 };
  const refunded = { id: `evt_${run}_2`, type: "order.refunded", orderId: "A-17", reason: "broken" };
  const again = { ...paid, id: `evt_${run}_3` };
  console.log(`
Listening on http://127.0.0.1:${port}/hooks/orders. Paste into another terminal:

# with the service key; paste it twice: the second time it is a duplicate
${curl(paid, `key: ${serviceKey}`)}

# with a JWT; its handler fails at first and is tried again
${curl(refunded, `authorization: Bearer ${token}`)}

# with both: the JWT decides, the wrong key is not even looked at
${curl(again, `authorization: Bearer ${token}`, "key: wrong")}

# refused: the wrong key
${curl(paid, "key: wrong")}

# what is stored
node dist/cli/main.js events list --db ${file}

What arrives is shown below.
`);
}
