// A JavaScript project of CommonJS modules. Prints what the requests were answered.
const express = require("express");
const { createReceiver } = require("hookgate");
const { createTestSigner, sendDelivery } = require("hookgate/testing");
const { z } = require("zod");

async function main() {
  const serviceKey = "a-service-key-of-more-than-32-characters";
  const signer = await createTestSigner("HS256");
  const receiver = createReceiver({
    name: "orders",
    events: { "order.paid": z.object({ total: z.number() }) },
    auth: { serviceKey, jwt: { issuer: "orders", ...signer.verification } },
    allowIps: ["127.0.0.1"],
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  receiver.on("order.paid", (event, { caller }) => console.log(`${caller.method} ${event.data.total}`));

  const app = express();
  app.all("/hooks", receiver.middleware());
  const server = app.listen(0, "127.0.0.1", async () => {
    const url = `http://127.0.0.1:${server.address().port}/hooks`;
    const body = { id: "1", type: "order.paid", total: 42 };
    const token = await signer.sign({ iss: "orders", exp: Math.floor(Date.now() / 1000) + 60 });
    const statuses = [];
    for (const credential of [{ key: serviceKey }, { token, key: "wrong" }, { key: "wrong" }, {}]) {
      statuses.push((await sendDelivery(url, { body, ...credential })).status);
    }
    console.log(`answered ${statuses.join(" ")}`);
    server.close();
  });
}

main();
