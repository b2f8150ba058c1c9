import { createServer, type RequestListener } from "node:http";
import { connect } from "node:net";
import { describe, expect, it, jest } from "@jest/globals";
import express from "express";
import express4 from "express4";
import { createReceiver } from "hookgate";
import { sendDelivery } from "hookgate/testing";
import { quiet } from "../support/quiet.js";

const key = "service-key-of-at-least-32-characters";
const receiver = createReceiver({
  name: "orders",
  auth: { serviceKey: key },
  type: () => "any",
  logger: quiet,
});
receiver.onAny(() => {});
const app = express();
app.use((req, res) => {
  res.status(299).json({ url: req.url });
});
const front = receiver.requestListener("/hooks/orders", app);
const send = (path: string, listener = front) => sendDelivery(listener, { path, body: {}, key });

describe("requestListener", () => {
  it.each(["/hooks/orders", "/hooks/orders?a=b", "/hooks/orders?"])(
    "answers %s itself, untouched by Express",
    async (path) => {
      const answer = await send(path);
      expect(answer.status).toBe(200);
      expect(answer.headers).not.toHaveProperty("x-powered-by");
    },
  );

  it.each([
    "/",
    "/hooks",
    "/hooks/orders/",
    "/hooks/orders/x",
    "/hooks/ordersx",
    "//hooks/orders",
    "/Hooks/orders",
    "/hooks/%6frders",
    "/a/../hooks/orders",
    "/x?/hooks/orders",
  ])("E25 passes %s on to the app, unchanged", async (path) => {
    const answer = await send(path);
    expect([answer.status, answer.json()]).toEqual([299, { url: path }]);
  });

  it("E25 takes the absolute form for what it is", async () => {
    const server = createServer(front);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const raw = (target: string) =>
      new Promise<string>((resolve) => {
        const socket = connect((server.address() as { port: number }).port, "127.0.0.1");
        let text = "";
        socket
          .on("data", (chunk) => {
            text += chunk;
            socket.end();
          })
          .on("close", () => resolve(text));
        socket.write(
          `POST ${target} HTTP/1.1\r\nHost: x\r\nkey: ${key}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
        );
      });
    expect(await raw("http://x/hooks/orders?q")).toMatch(/^HTTP\/1\.1 200 /);
    expect(await raw("http://x/hooks/other")).toMatch(/^HTTP\/1\.1 299 /);
    expect(await raw("ftp://x/hooks/orders")).toMatch(/^HTTP\/1\.1 299 /);
    server.close();
  });

  it("answers 404 to everything else where there is no app", async () => {
    expect((await send("/other", receiver.requestListener("/hooks/orders"))).status).toBe(404);
  });

  it("leaves upgrades to the server's own listeners", async () => {
    const server = createServer(front);
    server.on("upgrade", (_req, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const text = await new Promise<string>((resolve) => {
      const socket = connect((server.address() as { port: number }).port, "127.0.0.1");
      let received = "";
      socket
        .on("data", (chunk) => {
          received += chunk;
        })
        .on("close", () => resolve(received));
      socket.write(
        "GET /hooks/orders HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      );
    });
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    server.close();
  });

  it("warns once where it is mounted with app.post in place of app.all", async () => {
    for (const make of [express, express4]) {
      const warn = jest.fn();
      const mounted = createReceiver({
        name: "o",
        auth: { serviceKey: key },
        type: () => "any",
        logger: { ...quiet, warn },
      });
      mounted.onAny(() => {});
      const wrong = make().post("/hooks/orders", mounted.middleware());
      await send("/hooks/orders", wrong);
      await send("/hooks/orders", wrong);
      expect(warn.mock.calls).toEqual([
        [{ receiver: "o" }, expect.stringContaining("mount it with app.all")],
      ]);
      const silent = jest.fn();
      const right = createReceiver({
        name: "o",
        auth: { serviceKey: key },
        type: () => "any",
        logger: { ...quiet, warn: silent },
      });
      right.onAny(() => {});
      await send("/hooks/orders", make().all("/hooks/orders", right.middleware()));
      expect(silent).not.toHaveBeenCalled();
    }
  });

  it.each([["hooks"], [""], ["/a?b"], ["/a#b"], ["/a b"], [undefined], [/x/]])(
    "refuses %p as path",
    (path) => {
      expect(() => receiver.requestListener(path as string)).toThrow("requestListener's path must be a path");
    },
  );

  it("refuses an app that is none", () => {
    expect(() => receiver.requestListener("/a", {} as never)).toThrow(
      "must be a request listener such as an Express app, not an object",
    );
  });
});

describe("members of a receiver that a server was given without their call", () => {
  it("middleware is the middleware", async () => {
    const answer = await sendDelivery(receiver.middleware, { body: {}, key });
    expect(answer.status).toBe(200);
  });

  it("requestListener answers 500 and says how it is meant", async () => {
    const lines: string[] = [];
    const other = createReceiver({
      name: "other",
      auth: { serviceKey: key },
      logger: { ...quiet, error: (_details: object, message: string) => void lines.push(message) },
    });
    const listener = other.requestListener as unknown as RequestListener;
    const answer = await sendDelivery(listener, { body: {}, key });
    expect(answer.status).toBe(500);
    expect(lines).toEqual([expect.stringContaining('http.createServer(receiver.requestListener("/hooks"))')]);
  });
});
