import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import express5, { type Express } from "express";
import express4 from "express4";
import type { Hooks, Logger, Middleware } from "hookgate";
import { sendDelivery, type TestAnswer, type TestDelivery } from "hookgate/testing";
import { createRequestListener } from "../../src/http/request-listener.js";
import { watchFor } from "./canary.js";
import { openWire, type Wire } from "./wire.js";

/** Servers, connections and the log of one file of attacks, and whether a secret came to light in them. */
export interface Scene {
  /** Keeps every line, errors with their stacks and causes. */
  readonly logger: Logger;
  /** Keeps the reason of every refusal. */
  readonly hooks: Hooks;
  /** Makes a secret of at least 32 characters that must never be seen in log or answers. */
  secret(name: string): string;
  /** The same for a token that was signed elsewhere: neither its payload nor its signature may be seen. */
  keep(token: string): string;
  /** The lines of the log since the last call. */
  takeLog(): readonly string[];
  /** Starts a server on a free port and says which. */
  listen(listener: RequestListener | Server): Promise<number>;
  /** Sends to /hooks unless the delivery says otherwise. */
  send(port: number, delivery: TestDelivery): Promise<TestAnswer>;
  open(port: number): Promise<Wire>;
  /** Ends servers and connections. */
  close(): Promise<void>;
  /** Where secrets came to light; to be called when all is done. */
  leaks(): readonly string[];
}

export function createScene(): Scene {
  const secrets: string[] = [];
  const lines: string[] = [];
  const seen: string[] = [];
  const servers: Server[] = [];
  const wires: Wire[] = [];
  let taken = 0;
  const line =
    (level: string) =>
    (details: object, message: string): void => {
      lines.push(`${level} ${message} ${inspect(details, { depth: 20, maxStringLength: null })}`);
    };
  const keepAnswers = (): void => {
    for (const wire of wires.splice(0)) {
      wire.socket.destroy();
      seen.push(wire.text());
    }
  };
  return {
    logger: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") },
    hooks: { refused: ({ code, reason }) => lines.push(`refused ${code} ${reason}`) },
    secret(name) {
      const secret = `canary-${name}-0123456789abcdef0123456789abcdef`;
      secrets.push(secret);
      return secret;
    },
    keep(token) {
      // Shorter parts could stand anywhere.
      const parts = token.split(".").filter((part, index) => index > 0 && part.length >= 16);
      secrets.push(...parts);
      watchFor(...parts);
      return token;
    },
    takeLog() {
      const fresh = lines.slice(taken);
      taken = lines.length;
      return fresh;
    },
    async listen(listener) {
      const server = typeof listener === "function" ? createServer(listener) : listener;
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return (server.address() as AddressInfo).port;
    },
    async send(port, delivery) {
      const answer = await sendDelivery(`http://127.0.0.1:${port}/`, { path: "/hooks", ...delivery });
      seen.push(`${inspect(answer.headers)} ${answer.text}`);
      return answer;
    },
    async open(port) {
      const wire = await openWire(port);
      wires.push(wire);
      return wire;
    },
    async close() {
      keepAnswers();
      for (const server of servers.splice(0)) {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      }
    },
    leaks() {
      keepAnswers();
      return [...lines, ...seen].filter((text) => secrets.some((secret) => text.includes(secret)));
    },
  };
}

/** How a receiver stands in a server; each answers on /hooks, and fails the test where `next` is called. */
export type Mount = (middleware: Middleware) => RequestListener;

const onExpress =
  (create: () => Express): Mount =>
  (middleware) => {
    const app = create();
    app.all("/hooks", middleware);
    return app;
  };

export const mounts: readonly (readonly [string, Mount])[] = [
  ["node:http", (middleware) => (req, res) => middleware(req, res, () => res.writeHead(599).end())],
  ["Express 4", onExpress(express4 as unknown as () => Express)],
  ["Express 5", onExpress(express5)],
  [
    "requestListener",
    (middleware) => createRequestListener("/hooks", { receive: middleware, app: express5(), onFault() {} }),
  ],
];
