import { setImmediate as nextTurn } from "node:timers/promises";
import { StoppedError } from "../errors.js";
import type { HandlerRegistry } from "../events/handlers.js";
import type { Clock } from "../lib/clock.js";
import { assertOptions, numberOption, own } from "../lib/options.js";
import type { InboxObserver } from "./observer.js";
import type { Store } from "./store.js";

/** What is started and closed. */
export interface LifeParts<Tx> {
  /** The way of deliveries. */
  readonly way: {
    open(): void;
    stop(): Promise<void>;
    /** Deliveries in progress. */
    underWay(): number;
  };
  /** Undefined: no inbox. */
  readonly store: Store<Tx> | undefined;
  readonly handlers: Pick<HandlerRegistry, "all" | "lock">;
  readonly clock: Clock;
  readonly observer: Pick<InboxObserver, "note">;
  /** Resolves when the rest of the receiver is ready. */
  ready(): Promise<void>;
  /** Ends the rest of the receiver. */
  end(): void;
}

/** The start and the end of a receiver. */
export interface Life {
  start(): Promise<void>;
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
}

/** Milliseconds that tasks have to be given back behind the grace, and then the engine to be closed. */
const giveBackMs = 500;
const closeEngineMs = 400;

const lockedByStart =
  "the receiver was started, and an inbox needs every handler before that; register handlers ahead of start()";

/** Joins what has to begin and to end with a receiver. */
export function createLife<Tx>(parts: LifeParts<Tx>): Life {
  const { store, handlers, way } = parts;
  let started: Promise<void> | undefined;
  let closed: Promise<void> | undefined;

  async function start(): Promise<void> {
    if (store !== undefined) handlers.lock(lockedByStart);
    try {
      await parts.ready();
      await store?.start(handlers.all());
    } catch (error) {
      handlers.lock(undefined);
      started = undefined;
      throw error;
    }
    way.open();
  }

  return {
    start() {
      if (closed !== undefined)
        return Promise.reject(new StoppedError("the receiver was closed; make a new one"));
      started ??= start();
      return started;
    },
    async close(options) {
      const graceMs = parseGrace(options);
      closed ??= close(parts, graceMs, started);
      await closed;
    },
  };
}

function parseGrace(options: unknown): number {
  const given: unknown = options === undefined ? {} : options;
  assertOptions(given, ["graceMs"], "close's options");
  const bounds = { min: 0, max: 3_600_000, fallback: 10_000 };
  return numberOption(own(given, "graceMs"), "close's options.graceMs", bounds);
}

async function close<Tx>(
  parts: LifeParts<Tx>,
  graceMs: number,
  started: Promise<void> | undefined,
): Promise<void> {
  const { way, store, observer } = parts;
  // The clock's timers keep no process alive; one that is being closed must live to its end.
  const alive = setInterval(() => {}, 60_000);
  const within = (work: Promise<unknown>, ms: number): Promise<boolean> => settledWithin(parts, work, ms);
  const deliveries = way.stop();
  const runs = Promise.resolve(started)
    .catch(() => {})
    .then(() => store?.stopClaiming());
  if (!(await within(Promise.all([deliveries, runs]), graceMs))) {
    const released = store?.release() ?? 0;
    const details = { deliveries: way.underWay(), runs: released, graceMs };
    observer.note("warn", "closing took longer than its grace; what was in progress is left behind", details);
    await within(runs, giveBackMs);
  }
  // The outcome of the last delivery is there; in the next turn its answer is written, too, and the process may exit.
  await nextTurn();
  if (store !== undefined && !(await within(store.close(), closeEngineMs))) {
    observer.note("warn", "the inbox's engine was not closed in time", {});
  }
  parts.end();
  clearInterval(alive);
}

/** Whether work settles in time; what it rejects with is noted. Never rejects. */
function settledWithin<Tx>(
  { clock, observer }: LifeParts<Tx>,
  work: Promise<unknown>,
  ms: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(false));
    const settled = (): void => {
      cancel();
      resolve(true);
    };
    work.then(settled, (error: unknown) => {
      observer.note("warn", "a part of the receiver could not be closed", { error });
      settled();
    });
  });
}
