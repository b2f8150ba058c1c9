import { type Duration, durationText } from "../lib/duration.js";
import { assertOptions, describe, durationOption, OptionError, optionKeys, own } from "../lib/options.js";

/** The part of a server that is used; servers of `node:http`, `node:https` and `node:http2` have it. */
export interface ClosableServer {
  /** Stops accepting connections. */
  close(callback?: (error?: Error) => void): unknown;
  /** Closes connections without a request in progress. */
  closeIdleConnections?(): void;
  /** Closes all connections. */
  closeAllConnections?(): void;
}

/** The part of a receiver that is used. */
export interface ClosableReceiver {
  /** Stops taking deliveries and resolves when the work in progress is done. */
  close(options: {
    /** How long work in progress may take. */
    readonly grace: Duration;
  }): Promise<void>;
}

/** Options of `closeOnSignals`. */
export interface CloseOnSignalsOptions {
  /** How long deliveries, handlers and other requests in progress may take, "0ms" to "1h". Default: "10s". */
  readonly grace?: Duration | undefined;
}

const signals = ["SIGTERM", "SIGINT"] as const;
/** Milliseconds between two looks for connections that have become idle. */
const lookMs = 50;

/**
 * Shuts the process down gracefully on SIGTERM and SIGINT: the server stops taking connections, the receivers answer new
 * deliveries 503 and finish the work in progress, keep-alive connections are closed, and the process exits within `grace`
 * and one second. A second signal exits immediately, with code 1. Returns a function that removes the listeners.
 *
 * @example
 * const server = app.listen(3000);
 * closeOnSignals(server, receiver, { grace: "8s" });
 */
export function closeOnSignals(
  server: ClosableServer,
  receivers: ClosableReceiver | readonly ClosableReceiver[],
  options: CloseOnSignalsOptions = {},
): () => void {
  const where = "closeOnSignals";
  const list = Array.isArray(receivers) ? (receivers as readonly ClosableReceiver[]) : [receivers];
  assertClosable(server, `${where}'s server`, "the server that listen() returned");
  for (const receiver of list)
    assertClosable(receiver, `${where}'s receiver`, "what createReceiver returned");
  assertOptions(options, optionKeys<CloseOnSignalsOptions>({ grace: true }), where);
  const bounds = { min: "0ms", max: "1h", fallback: "10s" } as const;
  const graceMs = durationOption(own(options, "grace"), `${where}.grace`, bounds);
  let closing = false;
  const onSignal = (): void => {
    if (closing) process.exit(1);
    closing = true;
    // The code that somebody has set, or 0.
    void finish(server, list as readonly ClosableReceiver[], graceMs).then(() => process.exit());
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}

/** Never rejects. */
async function finish(
  server: ClosableServer,
  receivers: readonly ClosableReceiver[],
  graceMs: number,
): Promise<void> {
  // A connection that is kept alive ends when nobody waits for an answer on it; `close` looks for those only once.
  const looking = setInterval(() => server.closeIdleConnections?.(), lookMs);
  let timer: NodeJS.Timeout | undefined;
  const timeIsUp = new Promise((resolve) => {
    timer = setTimeout(resolve, graceMs);
  });
  // Other routes of the same server finish, too. A server that does not listen calls back with an error.
  const served = new Promise((resolve) => server.close(resolve));
  await Promise.all([
    Promise.allSettled(receivers.map((receiver) => receiver.close({ grace: durationText(graceMs) }))),
    Promise.race([served, timeIsUp]),
  ]);
  clearInterval(looking);
  clearTimeout(timer);
  server.closeAllConnections?.();
}

function assertClosable(value: unknown, where: string, expected: string): void {
  const close: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, "close") : undefined;
  if (typeof close !== "function") {
    throw new OptionError(where, ` must be ${expected}, not ${describe(value)}`);
  }
}
