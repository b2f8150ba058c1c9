import { mkdtempSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { createReceiver, type Hooks, type InboxOptions, type InboxReceiver, type Logger } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import { type SqliteTransaction, sqliteEngine } from "hookgate/sqlite";
import { sendDelivery, type TestAnswer } from "hookgate/testing";

type Engine = InboxEngine<SqliteTransaction>;

/** What a scene's receivers may be told beside their handlers. */
export interface SceneOptions {
  readonly engine: Engine;
  readonly inbox?: Partial<InboxOptions<SqliteTransaction>>;
  readonly hooks?: Hooks;
  /** Further options of `createReceiver`. */
  readonly more?: object;
}

/** Stores and receivers of one test; `end` closes them. */
export interface InboxScene {
  /** An engine on a new file with a table `effects (id TEXT)`; with a file, another one on the same. */
  engine(file?: string): Engine;
  /** The path of a new file. */
  file(): string;
  /** A receiver with the key of `send`; retries come at once unless the options say otherwise. */
  receiver(options: SceneOptions): InboxReceiver;
  /** Sends the body of an event to a receiver without a socket. */
  send(receiver: InboxReceiver, body: unknown, token?: string): Promise<TestAnswer>;
  /** Everything that was logged. */
  readonly log: string[];
  end(): Promise<void>;
}

export const key = "inbox-scene-0123456789abcdef0123456789abcdef";

/** Waits for a condition; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function createInboxScene(): InboxScene {
  const folders: string[] = [];
  const receivers: InboxReceiver[] = [];
  const apps = new Map<InboxReceiver, RequestListener>();
  const log: string[] = [];
  const line =
    (level: string) =>
    (details: object, message: string): void =>
      void log.push(`${level} ${message} ${inspect(details, { depth: 5 })}`);
  const logger: Logger = {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
  };
  const file = (): string => {
    const folder = mkdtempSync(join(tmpdir(), "hookgate-inbox-"));
    folders.push(folder);
    return join(folder, "hooks.db");
  };
  return {
    log,
    file,
    engine: (path = file()) =>
      sqliteEngine(path, {
        onCallersThread: true,
        setup: ["CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL)"],
      }),
    receiver({ engine, inbox, hooks, more }) {
      const receiver: InboxReceiver = createReceiver({
        name: "orders",
        auth: { serviceKey: key },
        logger,
        ...(hooks === undefined ? {} : { hooks }),
        inbox: { engine, retry: () => "0ms", ...inbox },
        ...more,
      }) as never;
      receivers.push(receiver);
      apps.set(receiver, receiver.requestListener("/"));
      return receiver;
    },
    send(receiver, body, token) {
      const app = apps.get(receiver);
      if (app === undefined) throw new Error("not a receiver of this scene");
      return sendDelivery(app, token === undefined ? { key, body } : { token, body });
    },
    async end() {
      await Promise.all(receivers.splice(0).map((receiver) => receiver.close({ grace: "0ms" })));
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
    },
  };
}
