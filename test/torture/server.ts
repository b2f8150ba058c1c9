/** The server under torture: a process of its own, as a user would write it, whose handlers tell what they did. */
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import express from "express";
import { sqliteEngine } from "../../src/inbox/sqlite/index.js";
import { createReceiver, NonRetriableError } from "../../src/index.js";
import {
  type EventData,
  effectsTable,
  hooksPath,
  type LogLine,
  monotonicMs,
  optionsVariable,
  type ServerOptions,
  serviceKey,
} from "./options.js";

const options: ServerOptions = JSON.parse(process.env[optionsVariable] ?? "{}");

/** At once and by the kernel's own append: a kill behind it cannot take it back. */
function note(
  what: LogLine["what"],
  run: Pick<LogLine, "id" | "handler" | "attempt">,
  message?: string,
): void {
  const { id, handler, attempt } = run;
  const line: LogLine = {
    ...{ what, id, handler, attempt, pid: process.pid, atMs: monotonicMs() },
    ...(message === undefined ? {} : { message }),
  };
  appendFileSync(options.log, `${JSON.stringify(line)}\n`);
}

const receiver = createReceiver({
  name: "torture",
  auth: { serviceKey },
  inbox: {
    engine: sqliteEngine(options.db, { setup: [effectsTable] }),
    lease: `${options.leaseMs ?? 500}ms`,
    workers: options.workers ?? true,
    maxAttempts: options.maxAttempts ?? 10_000,
    retry: { minDelay: "20ms", maxDelay: "200ms" },
  },
  hooks: {
    handled: ({ event, handler, attempt }) => note("handled", { id: event.id, handler, attempt }),
    retried: ({ event, handler, attempt }) => note("retried", { id: event.id, handler, attempt }),
    dead: ({ event, handler, attempt, error }) =>
      note("dead", { id: event.id, handler, attempt }, `${error.name}: ${error.message}`),
  },
});

let openGate: (() => void) | undefined;
const gate = new Promise<void>((resolve) => {
  openGate = resolve;
});
if (options.gate !== "shut") openGate?.();
else process.on("SIGUSR2", () => openGate?.());

type Handle = Parameters<typeof receiver.on>[1];
type Context = Parameters<Handle>[1];

const dataOf = (event: { readonly data: unknown }): EventData => event.data as EventData;

/** Takes its time, ends early where it is told to, and fails as often as it should. */
async function work(event: Parameters<Handle>[0], context: Context): Promise<void> {
  const { ms = 0, fail = 0 } = dataOf(event);
  if (ms > 0) await pause(ms, undefined, { signal: context.signal });
  if (context.attempt <= fail) throw new Error("as it was told to");
}

/** Completes the task together with a row that says so. */
async function completeWithEffect(handler: string, id: string, context: Context): Promise<void> {
  const { attempt } = context;
  await context.complete((tx) =>
    tx.run("INSERT INTO effects(id, handler, attempt, pid) VALUES (?, ?, ?, ?)", [
      ...[id, handler, attempt, process.pid],
    ]),
  );
}

receiver.on(
  "load",
  async (event, context) => {
    await work(event, context);
    await completeWithEffect("effect", event.id, context);
  },
  { name: "effect" },
);

receiver.on(
  "load",
  async (event, context) => {
    await work(event, context);
    note("end", { id: event.id, handler: "log", attempt: context.attempt });
  },
  { name: "log" },
);

receiver.on(
  "load",
  async (event, context) => {
    if (context.attempt <= (dataOf(event).fail ?? 0)) throw new Error("as it was told to");
    await completeWithEffect("ordered", event.id, context);
  },
  { name: "ordered", orderingKey: (event) => dataOf(event).key },
);

receiver.on(
  "poison",
  (event, { attempt }) => {
    note("start", { id: event.id, handler: "poison", attempt });
    process.kill(process.pid, "SIGKILL");
    return new Promise(() => {});
  },
  { name: "poison" },
);

receiver.on("stuck", () => new Promise(() => {}), { name: "stuck", timeout: "1d" });

receiver.on(
  "wait",
  async (event, context) => {
    const run = { id: event.id, handler: "wait", attempt: context.attempt };
    note("start", run);
    await work(event, context);
    note("end", run);
  },
  // Fixed, so that it can be told whether a retry came in time.
  { name: "wait", timeout: "1m", retry: () => "1500ms" },
);

receiver.on(
  "gate",
  async (event, context) => {
    const run = { id: event.id, handler: "gate", attempt: context.attempt };
    note("start", run);
    await gate;
    const { end } = dataOf(event);
    if (end === "throw" && options.gate === "shut") throw new Error("behind the gate");
    if (end === "dead" && options.gate === "shut") throw new NonRetriableError("behind the gate");
    if (end === "complete") {
      try {
        await completeWithEffect("gate", event.id, context);
      } catch (error) {
        note("lost", run, String(Reflect.get(error as object, "code")));
        throw error;
      }
    }
    note("end", run);
  },
  { name: "gate", timeout: "10m", concurrency: 100 },
);

const app = express();
app.all(hooksPath, receiver.middleware());
const server = createServer(options.mount === "listener" ? receiver.requestListener(hooksPath) : app);

// As in the guide "Shutting down": nothing here ends the process but that nothing is left to do.
let closing = false;
async function shutDown(): Promise<void> {
  if (closing) process.exit(1);
  closing = true;
  server.close();
  const at = monotonicMs();
  await receiver.close({ grace: `${options.graceMs ?? 1_000}ms` });
  server.closeAllConnections();
  process.stdout.write(`closed in ${Math.round(monotonicMs() - at)} ms\n`);
}
process.on("SIGTERM", shutDown);
process.on("SIGINT", shutDown);

// A parent that died must not leave it behind.
process.stdin.on("end", () => process.exit(3)).resume();
(process.stdin as unknown as { unref?(): void }).unref?.();

await receiver.start();
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  process.stdout.write(`ready ${(server.address() as AddressInfo).port} ${process.pid}\n`);
});
