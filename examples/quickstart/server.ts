// A receiver that runs as it is: `npm start` in the repository. It makes a key and a secret for itself, prints
// requests to try, and shows what arrives.
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import express from "express";
import { createReceiver, type Logger } from "hookgate";
import { SignJWT } from "jose";
import { z } from "zod";

const serviceKey = randomBytes(32).toString("base64url");
const jwtSecret = randomBytes(32);

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
  logger,
});

receiver.on("order.paid", (event, { caller }) => {
  console.log(
    `  order ${event.data.orderId} was paid: ${event.data.total} (caller known by ${caller.method})`,
  );
});
receiver.on("order.refunded", (event) => {
  console.log(`  order ${event.data.orderId} was refunded: ${event.data.reason}`);
});

const app = express();
app.all("/hooks/orders", receiver.middleware());

const token = await new SignJWT({})
  .setProtectedHeader({ alg: "HS256" })
  .setIssuer("orders")
  .setIssuedAt()
  .setExpirationTime("2h")
  .sign(jwtSecret);

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", (error?: Error) => {
  if (error === undefined) printRequests((server.address() as AddressInfo).port);
});
server.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EADDRINUSE") throw error;
  console.error("The port is taken; choose another one: PORT=3001 npm start");
  process.exitCode = 1;
});

function printRequests(port: number): void {
  const curl = (body: object, ...headers: string[]): string =>
    [
      `curl -i http://127.0.0.1:${port}/hooks/orders`,
      ...["content-type: application/json", ...headers].map((header) => `-H '${header}'`),
      `-d '${JSON.stringify(body)}'`,
    ].join(" \\\n  ");
  const paid = { id: "evt_1", type: "order.paid", orderId: "A-17", total: 42 };
  const refunded = { id: "evt_2", type: "order.refunded", orderId: "A-17", reason: "broken" };
  console.log(`
Listening on http://127.0.0.1:${port}/hooks/orders. Paste into another terminal:

# with the service key
${curl(paid, `key: ${serviceKey}`)}

# with a JWT
${curl(refunded, `authorization: Bearer ${token}`)}

# with both: the JWT decides, the wrong key is not even looked at
${curl(paid, `authorization: Bearer ${token}`, "key: wrong")}

# refused: the wrong key
${curl(paid, "key: wrong")}

What arrives is shown below.
`);
}
