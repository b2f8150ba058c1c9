import { createServer, IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it } from "@jest/globals";
import express5, { type Express } from "express";
import express4 from "express4";
import { createExpressServer, createReceiver } from "hookgate";
import { sendDelivery } from "hookgate/testing";
import { constructorsOf } from "../../../src/http/express-server.js";

const servers: { close(): unknown }[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

async function listen(app: Express): Promise<string> {
  const server = createExpressServer(app);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each([
  ["Express 4", express4 as unknown as typeof express5],
  ["Express 5", express5],
])("a server for %s", (_name, express) => {
  it("makes requests and responses with the app's prototypes, so that none is changed", async () => {
    const app = express();
    const seen: unknown[] = [];
    const set = Object.setPrototypeOf;
    const changed: unknown[] = [];
    const url = await listen(app);
    app.get("/", (req, res) => {
      seen.push(Object.getPrototypeOf(req) === app.request, Object.getPrototypeOf(res) === app.response);
      seen.push(req instanceof IncomingMessage);
      res.json({ ip: req.ip, host: req.hostname, query: req.query });
    });
    Object.setPrototypeOf = ((object: object, prototype: object | null) => {
      if (Object.getPrototypeOf(object) !== prototype) changed.push(object);
      return set(object, prototype);
    }) as typeof set;
    try {
      const answer = await sendDelivery(url, { method: "GET", path: "/?a=1" });
      expect(answer.json()).toEqual({ ip: "127.0.0.1", host: "127.0.0.1", query: { a: "1" } });
      expect(answer.headers["x-powered-by"]).toBe("Express");
    } finally {
      Object.setPrototypeOf = set;
    }
    expect(seen).toEqual([true, true, true]);
    if (Number.parseInt(process.versions.node, 10) < 24) expect(changed).toEqual([]);
  });

  it("serves apps within the app, and what is added to the app's request later", async () => {
    const app = express();
    const inner = express();
    inner.get("/", (req, res) => void res.send(`${req.baseUrl} ${Reflect.get(req, "note")}`));
    app.use("/in", inner);
    app.get("/note", (req, res) => void res.send(String(Reflect.get(req, "note"))));
    const url = await listen(app);
    Object.assign(app.request, { note: "later" });
    expect((await sendDelivery(url, { method: "GET", path: "/in" })).text).toBe("/in later");
    expect((await sendDelivery(url, { method: "GET", path: "/note" })).text).toBe("later");
  });

  it("serves a receiver, keeps connections and reads bodies as any other", async () => {
    const key = "express-server-key-0123456789abcdef0123456789abcdef";
    const receiver = createReceiver({ name: "orders", auth: { serviceKey: key }, type: () => "any" });
    const bodies: unknown[] = [];
    receiver.onAny(({ data }) => void bodies.push(data));
    const app = express();
    app.all("/hooks", receiver.middleware());
    const url = await listen(app);
    for (let n = 0; n < 3; n++) {
      expect((await sendDelivery(url, { path: "/hooks", key, body: { n } })).status).toBe(200);
    }
    expect((await sendDelivery(url, { path: "/hooks", body: {} })).status).toBe(401);
    expect(bodies).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  });
});

describe("createExpressServer", () => {
  it("leaves requests to Node.js where V8 no longer keeps them", () => {
    expect(constructorsOf(express5(), 24)).toEqual({});
    expect(Object.keys(constructorsOf(express5(), 22))).toEqual(["IncomingMessage", "ServerResponse"]);
  });

  it.each([undefined, null, {}, () => {}, createServer(), { request: {}, response: {} }])(
    "refuses what is no Express app: %#",
    (app) => {
      expect(() => createExpressServer(app as never)).toThrow(
        "createExpressServer's app must be an Express app",
      );
    },
  );
});
