import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { afterAll, describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver, type Receiver } from "hookgate";
import { github } from "hookgate/github";
import { signedDelivery } from "hookgate/testing";
import { createScene } from "../support/scene.js";
import { postHead } from "../support/wire.js";

const scene = createScene();
afterAll(scene.close);
const key = scene.secret("key");
const body = JSON.stringify({ type: "any", note: scene.secret("body") });

/** How a slow client begins, what it drips, and the status that it is answered with. */
interface Slow {
  readonly name: string;
  readonly count: number;
  readonly head: string;
  readonly drip: string;
  readonly status: number;
}

const json = "Content-Type: application/json";
const slow: readonly Slow[] = [
  { name: "header", count: 350, head: "POST /hooks HTTP/1.1\r\nHost: a\r\nX: ", drip: "x", status: 408 },
  {
    name: "body",
    count: 250,
    head: postHead(`Key: ${key}`, json, "Content-Length: 9000"),
    drip: " ",
    status: 408,
  },
  {
    name: "chunk",
    count: 150,
    head: postHead(`Key: ${key}`, json, "Transfer-Encoding: chunked"),
    drip: "1\r\n \r\n",
    status: 408,
  },
  {
    name: "silent body",
    count: 50,
    head: postHead(`Key: ${key}`, json, "Content-Length: 9"),
    drip: "",
    status: 408,
  },
  {
    name: "stranger's body",
    count: 200,
    head: postHead("Key: wrong", json, "Content-Length: 200000"),
    drip: " ",
    status: 401,
  },
];

interface Client {
  readonly slow: Slow;
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<void>;
}

function open(port: number, kind: Slow): Client {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  // A client that drips does not care that the server has said all.
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.write(kind.head);
  return { slow: kind, socket, text: () => text, closed };
}

const doors: readonly (readonly [
  string,
  (receiver: Pick<Receiver, "requestListener" | "middleware">) => ReturnType<Receiver["requestListener"]>,
])[] = [
  ["in front of Express", (receiver) => receiver.requestListener("/hooks", express())],
  ["as Express middleware", (receiver) => express().all("/hooks", receiver.middleware())],
];

describe.each(doors)("1,000 slow clients, %s", (_name, door) => {
  it("E09 are ended by the deadlines, while every good delivery is answered", async () => {
    let handled = 0;
    const receiver = createReceiver({
      name: "orders",
      auth: { serviceKey: key },
      body: { timeout: "4s" },
      logger: scene.logger,
      hooks: scene.hooks,
    });
    receiver.onAny(() => void handled++);
    // Slow headers are for the server to end: see docs/security.md.
    const server = createServer({ headersTimeout: 2000, connectionsCheckingInterval: 200 }, door(receiver));
    const port = await scene.listen(server);
    const clients = slow.flatMap((kind) => Array.from({ length: kind.count }, () => open(port, kind)));
    expect(clients).toHaveLength(1000);
    const dripping = setInterval(() => {
      for (const { socket, slow: kind } of clients)
        if (socket.writable && kind.drip !== "") socket.write(kind.drip);
    }, 100);
    let ended = false;
    const allClosed = Promise.all(clients.map(({ closed }) => closed)).then(() => {
      ended = true;
    });
    // Good traffic from before the first deadline until the last slow client is gone.
    let good = 0;
    const goodClient = async (): Promise<void> => {
      while (!ended) {
        const answer = await scene.send(port, { key, body });
        expect([answer.status, answer.json()]).toEqual([200, expect.objectContaining({ status: "handled" })]);
        good++;
      }
    };
    try {
      await Promise.all([goodClient(), goodClient(), goodClient(), allClosed]);
    } finally {
      clearInterval(dripping);
    }
    for (const { slow: kind, text } of clients) {
      expect([kind.name, text().slice(0, 12)]).toEqual([kind.name, `HTTP/1.1 ${kind.status}`]);
    }
    expect(good).toBeGreaterThan(20);
    expect(handled).toBe(good);
    // Nobody holds a place any more, or this would wait for ever; and no connection is left.
    await receiver.close();
    const left = await new Promise<number>((resolve) =>
      server.getConnections((_error, count) => resolve(count)),
    );
    expect(left).toBe(0);
  });
});

it("I01 shows no key and nothing of a body in log and answers", () => {
  expect(scene.takeLog().filter((line) => line.includes("ERR_BODY_TIMEOUT")).length).toBeGreaterThan(400);
  expect(scene.leaks()).toEqual([]);
});

/** Opens a body for a source that signs, so that nothing is known of its sender until it is complete. */
function openHalf(port: number, localAddress: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    socket.on("error", () => {});
    socket.on("connect", () => {
      socket.write(`${postHead(json, "X-GitHub-Event: ping", "Content-Length: 9000")}half of it`);
      resolve(socket);
    });
  });
}

describe.each(doors)(
  "half-sent bodies of one address to a source without a credential, %s",
  (_name, door) => {
    it("E09 leave three quarters of the upper half of the places to others", async () => {
      const secret = scene.secret("signing");
      const source = github({ secret });
      const receiver = createReceiver({
        name: "hub",
        source,
        maxConcurrent: 40,
        logger: scene.logger,
        hooks: scene.hooks,
      });
      const handled: string[] = [];
      receiver.onAny((event) => void handled.push(event.id));
      scene.takeLog();
      const port = await scene.listen(createServer(door(receiver)));
      const refusals = (): readonly string[] =>
        scene.takeLog().filter((line) => line.startsWith("refused ERR_OVERLOADED"));
      const half: Socket[] = [];
      for (let i = 0; i < 100; i++) half.push(await openHalf(port, "127.0.0.2"));
      const answered = half.map(
        (socket) => new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data)))),
      );
      // 21 got in before half of the places were taken.
      const refused = await Promise.all(answered.slice(21));
      expect(refused.every((text) => text.startsWith("HTTP/1.1 503"))).toBe(true);
      const lines = refusals();
      expect(lines).toHaveLength(79);
      expect(lines[0]).toContain("127.0.0.2 already has 21 of the 21 bodies being read");
      // A second address gets its quarter.
      const more: Socket[] = [];
      for (let i = 0; i < 12; i++) more.push(await openHalf(port, "127.0.0.3"));
      const last = more
        .slice(10)
        .map(
          (socket) => new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data)))),
        );
      expect((await Promise.all(last)).every((text) => text.startsWith("HTTP/1.1 503"))).toBe(true);
      const delivery = await signedDelivery(source, { type: "ping", data: { zen: "a" } }, { path: "/hooks" });
      expect((await scene.send(port, delivery)).status).toBe(200);
      expect(handled).toHaveLength(1);
      // Places come back when their senders leave.
      for (const socket of [...half, ...more]) socket.destroy();
      await receiver.close();
    });
  },
);
