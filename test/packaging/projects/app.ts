// A TypeScript project, compiled as an ES module and as CommonJS. Prints what the requests were answered.
import type { AddressInfo } from "node:net";
import express from "express";
import { type Caller, createReceiver, requireAuth, TokenInvalidError } from "hookgate";
import { createTestSigner, sendDelivery } from "hookgate/testing";
import { z } from "zod";

async function main(): Promise<void> {
  const serviceKey = "a-service-key-of-more-than-32-characters";
  const signer = await createTestSigner("EdDSA");
  const auth = { serviceKey, jwt: { issuer: "orders", ...signer.verification } };
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const receiver = createReceiver({
    name: "orders",
    events: {
      "order.paid": z.object({ total: z.number() }),
      "order.refunded": z.object({ reason: z.string() }),
    },
    auth,
    allowIps: ["127.0.0.1"],
    hooks: {
      refused: ({ error }) => {
        const code: string = error.code;
        if (code === "ERR_TOKEN_INVALID") console.log(error instanceof TokenInvalidError);
      },
    },
    logger,
  });
  receiver.on("order.paid", (event, { caller }) => {
    const total: number = event.data.total;
    // @ts-expect-error: only refunds have it
    void event.data.reason;
    console.log(`${caller.method} ${total}`);
  });
  receiver.on("order.*", (event) => {
    if (event.type === "order.refunded") console.log(event.data.reason.length);
  });
  // @ts-expect-error: there is no such event
  const misspelled = (): unknown => receiver.on("order.payed", () => {});
  void misspelled;

  const app = express();
  app.all("/hooks", receiver.middleware());
  app.use("/private", requireAuth({ ...auth, logger }));
  app.get("/private", (req, res) => {
    const caller: Caller | undefined = req.caller;
    res.send(caller?.method === "jwt" ? caller.service : "nobody");
  });
  const server = app.listen(0, "127.0.0.1", async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const body = { id: "1", type: "order.paid", total: 42 };
    const token = await signer.sign({ iss: "orders", exp: Math.floor(Date.now() / 1000) + 60 });
    const statuses: number[] = [];
    for (const credential of [{ key: serviceKey }, { token, key: "wrong" }, { key: "wrong" }, {}]) {
      statuses.push((await sendDelivery(url, { path: "/hooks", body, ...credential })).status);
    }
    const guarded = await sendDelivery(url, { method: "GET", path: "/private", token });
    console.log(`answered ${statuses.join(" ")}, caller ${guarded.status}`);
    server.close();
  });
}

void main();
