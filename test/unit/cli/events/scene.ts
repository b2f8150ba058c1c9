import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../../../src/cli/run.js";
import { memoryEngine } from "../../../../src/testing/memory-engine.js";
import type { InboxEngine, NewDelivery, NewTask, TaskError, Verdict } from "../../../../src/types/engine.js";

export const now = Date.parse("2026-03-01T12:00:00Z");

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What was written to standard output as bytes. */
  readonly bytes: Buffer;
}

/** A folder with a file that stands for an inbox, the inbox itself in memory, and the command line. */
export interface Scene {
  readonly folder: string;
  readonly engine: InboxEngine<unknown>;
  /** The time of the store and of the command line. */
  clockMs: number;
  run(line: string | readonly string[], engine?: InboxEngine<unknown> | undefined): Promise<Ran>;
  accept(...events: readonly Partial<Incoming>[]): Promise<void>;
  /** Runs what is due, until every task of the handlers has its verdict; answers with the number of runs. */
  work(verdicts: Readonly<Record<string, (attempt: number) => Verdict>>, count: number): Promise<void>;
  end(): Promise<void>;
}

export interface Incoming {
  readonly id: string;
  readonly type: string;
  readonly receiver: string;
  readonly service: string;
  readonly body: string | Buffer;
  readonly tasks: readonly NewTask[];
  readonly headers: NewDelivery["headers"];
}

/** `--db` of the scene's file, with the words before it. */
export const db = "--db hooks.db";

export async function createScene(): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "hookgate-events-"));
  writeFileSync(join(folder, "hooks.db"), "stands for an inbox");
  const clock = { clockMs: now };
  const engine: InboxEngine<unknown> = memoryEngine({ now: () => clock.clockMs });
  await engine.open({ note: () => {} });
  const scene: Scene = Object.assign(clock, {
    folder,
    engine,
    run: (line, other = engine) => runIn(folder, line, { nowMs: () => scene.clockMs, engine: other }),
    accept: async (...events) => {
      await engine.accept(events.map((event) => deliveryOf(event, scene.clockMs)));
    },
    work: (verdicts, count) => work(engine, verdicts, count),
    end: async () => {
      await engine.close();
      rmSync(folder, { recursive: true });
    },
  } satisfies Omit<Scene, "clockMs">);
  return scene;
}

/** Runs a command line; without an engine, over the one that the command line has by itself. */
export async function runIn(
  cwd: string,
  line: string | readonly string[],
  given: { readonly nowMs?: () => number; readonly engine?: InboxEngine<unknown> } = {},
): Promise<Ran> {
  const argv = typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line;
  const chunks: Buffer[] = [];
  let err = "";
  const { engine, nowMs = () => now } = given;
  const code = await main(argv, {
    stdout: (chunk) => void chunks.push(Buffer.from(chunk as string)),
    stderr: (text) => {
      err += text;
    },
    environment: { variable: () => undefined },
    clock: { now: nowMs, after: () => () => {} },
    cwd,
    inboxEngine: engine === undefined ? undefined : () => engine,
  });
  const bytes = Buffer.concat(chunks);
  return { code, out: bytes.toString("utf8"), err, bytes };
}

/** Tasks for these handlers, one each. */
export function tasks(...handlers: readonly string[]): readonly NewTask[] {
  return handlers.map((handler) => ({ handler }));
}

export const broken: TaskError = { name: "TypeError", code: "E_NET", message: "fetch failed" };

export const done = (): Verdict => ({ outcome: "done" });
export const dead = (): Verdict => ({ outcome: "dead", error: broken });

/** A delivery of one event, at `atMs`. */
export function deliveryOf(event: Partial<Incoming>, atMs: number): NewDelivery {
  const { id = "evt_1", type = "order.paid", receiver = "orders", service = "orders" } = event;
  const rawBody = Buffer.from((event.body ?? `{"id":"${id}"}`) as string);
  return {
    requestId: `req-${id}`,
    method: "POST",
    url: "/hooks/orders?token=canary-of-the-query&b=1",
    headers: event.headers ?? { "content-type": "application/json" },
    address: "203.0.113.7",
    receivedAtMs: atMs,
    caller: { method: "service-key", tenant: "acme", service, credentialId: "key-1" },
    bodyKind: "json",
    rawBody,
    receiver,
    source: "",
    tenant: "acme",
    service,
    rememberMs: 86_400_000,
    maxBacklog: 1_000_000,
    events: [
      {
        id,
        type,
        digest: rawBody.toString("base64"),
        deduplicateBy: "id",
        tasks: event.tasks ?? tasks("ship"),
      },
    ],
  };
}

async function work(
  engine: InboxEngine<unknown>,
  verdicts: Readonly<Record<string, (attempt: number) => Verdict>>,
  count: number,
): Promise<void> {
  const policy = { concurrency: 10, maxAttempts: 20, onDeadLetter: "continue" } as const;
  let left = count;
  await new Promise<void>((resolve) => {
    const consumer = engine.consume({
      receiver: "orders",
      handlers: new Map(Object.keys(verdicts).map((handler) => [handler, policy])),
      leaseMs: 10_000,
      run: async ({ handler, attempt }) => verdicts[handler]?.(attempt) ?? done(),
      settled: () => {
        left--;
        if (left === 0) void consumer.stop().then(resolve);
      },
    });
  });
}
