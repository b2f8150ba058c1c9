import { createHash } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect } from "node:net";
import { inspect } from "node:util";
import { afterAll, afterEach, describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver, type Logger, type Receiver } from "hookgate";
import { createTestSigner } from "hookgate/testing";
import { z } from "zod";
import { type Attempt, type Ground, malformed, wellFormed } from "../fuzz/malformed-request.js";
import { runs, seed } from "../fuzz/settings.js";
import { createScene } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
afterEach(() => scene.close());

const signer = await createTestSigner("HS256");
const boundBody = JSON.stringify({ type: "order.paid", id: "bound", orderId: scene.secret("bound-body") });
const ground: Ground = {
  path: "/hooks",
  key: scene.secret("key"),
  body: JSON.stringify({ type: "order.paid", id: "plain", orderId: scene.secret("body") }),
  boundBody,
  boundToken: scene.keep(
    await signer.sign({
      iss: "orders",
      exp: Math.floor(Date.now() / 1000) + 80_000,
      bh: createHash("sha256").update(boundBody).digest("hex"),
    }),
  ),
};
const secrets = ["canary", ground.boundToken.split(".")[2] ?? ""];

/** A server whose handler notes what it gets, and whose log is read line by line. */
function createTarget() {
  const handled: string[] = [];
  const leaks: string[] = [];
  const codes = new Map<string, number>();
  const read = (details: object, message: string): void => {
    const line = `${message} ${inspect(details, { depth: 5, maxStringLength: null })}`;
    if (secrets.some((secret) => line.includes(secret))) leaks.push(line);
  };
  const logger: Logger = { debug: read, info: read, warn: read, error: read };
  const receiver: Receiver = createReceiver({
    name: "orders",
    events: { "order.paid": z.object({ orderId: z.string(), id: z.string() }).loose() },
    auth: { serviceKey: ground.key, jwt: { issuer: "orders", bodyHashClaim: "bh", ...signer.verification } },
    body: { timeout: "1m" },
    logger,
    hooks: { refused: ({ code }) => codes.set(code, (codes.get(code) ?? 0) + 1) },
  }) as unknown as Receiver;
  receiver.onAny((_event, { delivery }) => handled.push(delivery.rawBody.toString("latin1")));
  return { receiver, handled, leaks, codes };
}

const doors: readonly (readonly [string, (receiver: Receiver) => Server])[] = [
  ["in front of Express", (receiver) => patient(receiver.requestListener("/hooks", express()))],
  ["requestListener alone", (receiver) => createServer(receiver.requestListener("/hooks"))],
  ["as Express middleware", (receiver) => patient(express().all("/hooks", receiver.middleware()))],
];

/** A server that answers what it is busy with although the client has shut its side; by default Node drops that. */
function patient(listener: RequestListener): Server {
  return Object.assign(createServer(listener), { httpAllowHalfOpen: true });
}

/** Sends bytes, perhaps shuts this side, and gives all that came back until the server closed its own. */
function exchange(port: number, bytes: Buffer, { shut }: { readonly shut: boolean }): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (chunk) => chunks.push(chunk));
    // A server that refuses may reset the connection while the rest is still on its way.
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    if (shut) socket.end(bytes);
    else socket.write(bytes);
  });
}

const statusesIn = (text: string): number[] =>
  [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]));

/** What is wrong with the answers to an attempt; undefined: nothing. */
function faultOf(text: string): string | undefined {
  const statuses = statusesIn(text);
  if (statuses.some((status) => status >= 500)) return "5xx";
  if (statuses.some((status) => status >= 200 && status < 300 && status !== 204)) return "accepted";
  if (secrets.some((secret) => text.includes(secret))) return "a secret in the answer";
  return undefined;
}

describe.each(doors)("malformed requests on raw sockets, %s", (_name, open) => {
  it("E08 E12 I04 answers none with 5xx, runs no handler for any, and goes on serving what is good", async () => {
    const { receiver, handled, leaks, codes } = createTarget();
    const port = await scene.listen(open(receiver));
    const total = runs(1000);
    const kinds = new Map<string, number>();
    const faults: (Attempt & { fault: string; index: number })[] = [];
    let next = 0;
    let sentGood = 0;
    const client = async (): Promise<void> => {
      for (let index = next++; index < total && faults.length < 5; index = next++) {
        const attempt = malformed(ground, seed, index);
        const text = await exchange(port, attempt.bytes, { shut: true });
        const fault = faultOf(text);
        if (fault !== undefined) faults.push({ fault, index, ...attempt });
        kinds.set(attempt.kind, (kinds.get(attempt.kind) ?? 0) + 1);
        if (index % 50 !== 0) continue;
        sentGood++;
        const answer = await exchange(port, wellFormed(ground, index % 100 === 0), { shut: false });
        expect(statusesIn(answer)).toEqual([200]);
      }
    };
    await Promise.all(Array.from({ length: 12 }, client));
    expect(faults.map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes.toString("latin1") }))).toEqual([]);
    expect(handled).toHaveLength(sentGood);
    expect(handled.filter((body) => body !== ground.body && body !== ground.boundBody)).toEqual([]);
    expect(leaks).toEqual([]);
    // Each kind was tried, and they came as far as the gate.
    expect(Math.min(...kinds.values())).toBeGreaterThan(10);
    expect(codes.size).toBeGreaterThan(10);
    await receiver.close();
  });
});
