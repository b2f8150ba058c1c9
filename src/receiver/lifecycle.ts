import { setImmediate as nextTurn } from "node:timers/promises";
import { StoppedError } from "../errors.js";
import type { HandlerRegistry } from "../events/handlers.js";
import type { ReceiverInbox } from "../inbox/inbox.js";
import type { Clock } from "../lib/clock.js";
import type { Duration } from "../lib/duration.js";
import { assertOptions, durationOption, optionKeys, own } from "../lib/options.js";
import { endsBefore } from "../lib/promises.js";
import type { InboxReporter } from "../types/report.js";

/** What is started and closed. */
export interface LifecycleParts<Tx> {
  readonly intake: {
    open(): void;
    stop(): Promise<void>;
    /** Deliveries in progress. */
    inProgress(): number;
  };
  /** Undefined: no inbox. */
  readonly inbox: ReceiverInbox<Tx> | undefined;
  readonly handlers: Pick<HandlerRegistry, "all" | "lock">;
  readonly clock: Clock;
  readonly reporter: Pick<InboxReporter, "note">;
  /** Resolves when the rest of the receiver is ready. */
  ready(): Promise<void>;
  /** Ends the rest of the receiver. */
  end(): void;
}

/** Options of `receiver.close`. */
export interface CloseOptions {
  /** How long deliveries and handlers in progress may take to finish, "0ms" to "1h". Default: "10s". */
  readonly grace?: Duration | undefined;
}

/** The start and the end of a receiver. */
export interface Lifecycle {
  start(): Promise<void>;
  close(options?: CloseOptions): Promise<void>;
  state(): "new" | "started" | "closed";
}

/** Milliseconds after the grace in which tasks are given back and the engine is closed; what is left then is given up. */
const giveUpMs = 600;
/** Milliseconds after the grace after which nothing is waited for any more. */
const endMs = 800;

const lockedByStart =
  "the receiver was started, and an inbox needs every handler before that; register handlers ahead of start()";

/** Starts and closes the parts of a receiver together. */
export function createLifecycle<Tx>(parts: LifecycleParts<Tx>): Lifecycle {
  const { inbox, handlers, intake } = parts;
  let started: Promise<void> | undefined;
  let closed: Promise<void> | undefined;
  let running = false;

  async function start(): Promise<void> {
    if (inbox !== undefined) handlers.lock(lockedByStart);
    try {
      await parts.ready();
      await inbox?.start(handlers.all());
    } catch (error) {
      handlers.lock(undefined);
      started = undefined;
      throw error;
    }
    intake.open();
    running = true;
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
    state: () => (closed !== undefined ? "closed" : running ? "started" : "new"),
  };
}

function parseGrace(options: unknown): number {
  const given: unknown = options === undefined ? {} : options;
  assertOptions(given, optionKeys<CloseOptions>({ grace: true }), "close's options");
  const bounds = { min: "0ms", max: "1h", fallback: "10s" } as const;
  return durationOption(own(given, "grace"), "close's options.grace", bounds);
}

async function close<Tx>(
  parts: LifecycleParts<Tx>,
  graceMs: number,
  started: Promise<void> | undefined,
): Promise<void> {
  const { intake, inbox, reporter } = parts;
  // The clock's timers keep no process alive; one that is being closed must live to its end.
  const alive = setInterval(() => {}, 60_000);
  const deadlines = startDeadlines(parts.clock, graceMs);
  const before = (deadline: AbortSignal, work: Promise<unknown>) => endsBefore(deadline, noting(parts, work));
  const deliveries = intake.stop();
  const runs = Promise.resolve(started)
    .catch(() => {})
    .then(() => inbox?.stopClaiming(deadlines.giveUp));
  if (!(await before(deadlines.grace, Promise.all([deliveries, runs])))) {
    const released = inbox?.release() ?? 0;
    const details = { deliveries: intake.inProgress(), runs: released, graceMs };
    reporter.note("warn", "closing took longer than its grace; what was in progress is left behind", details);
    await endsBefore(deadlines.giveUp, runs);
  }
  // The outcome of the last delivery is there; in the next turn its answer is written, too, and the process may exit.
  await nextTurn();
  if (inbox !== undefined && !(await before(deadlines.end, inbox.close(deadlines.giveUp)))) {
    reporter.note("warn", "the inbox's engine was not closed in time", {});
  }
  await nextTurn();
  parts.end();
  deadlines.cancel();
  clearInterval(alive);
}

/** The points in time of one close. */
function startDeadlines(clock: Clock, graceMs: number) {
  const cancels: (() => void)[] = [];
  const abortsAfter = (ms: number): AbortSignal => {
    const controller = new AbortController();
    cancels.push(clock.after(ms, () => controller.abort()));
    return controller.signal;
  };
  return {
    grace: abortsAfter(graceMs),
    giveUp: abortsAfter(graceMs + giveUpMs),
    end: abortsAfter(graceMs + endMs),
    cancel: (): void => {
      for (const cancel of cancels) cancel();
    },
  };
}

/** Reports what `work` rejects with. Never rejects. */
async function noting<Tx>({ reporter }: LifecycleParts<Tx>, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    reporter.note("warn", "a part of the receiver could not be closed", { err: error });
  }
}
