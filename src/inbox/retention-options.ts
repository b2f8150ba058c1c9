import { assertOptions, numberOption, own } from "../lib/options.js";

/** How long events are kept whose tasks have ended. Those with a task that waits or runs are never deleted. */
export interface RetentionOptions {
  /** Milliseconds that done and ignored events are kept, 0 to 315,360,000,000. Default: 604,800,000, seven days. */
  readonly doneMs?: number | undefined;
  /** Milliseconds that events with a dead letter are kept, 0 to 315,360,000,000. Default: 2,592,000,000, thirty days. */
  readonly deadMs?: number | undefined;
  /** As many done and ignored events are kept, the newest. Default: no limit. */
  readonly done?: number | undefined;
  /** As many events with a dead letter are kept, the newest. Default: no limit. */
  readonly dead?: number | undefined;
}

/** `RetentionOptions`, resolved. */
export interface Retention {
  readonly doneMs: number;
  readonly deadMs: number;
  readonly done: number | undefined;
  readonly dead: number | undefined;
}

const decadeMs = 315_360_000_000;

/** Reads the option `retention`. Throws a TypeError that names the option and the fix. */
export function parseRetention(value: unknown, where: string): Retention {
  const given: unknown = value === undefined ? {} : value;
  assertOptions(given, ["doneMs", "deadMs", "done", "dead"], where);
  const count = (name: "done" | "dead"): number | undefined => {
    const most = own(given, name);
    if (most === undefined) return undefined;
    return numberOption(most, `${where}.${name}`, { min: 0, max: 1_000_000_000, fallback: 0, integer: true });
  };
  return {
    doneMs: numberOption(own(given, "doneMs"), `${where}.doneMs`, {
      min: 0,
      max: decadeMs,
      fallback: 604_800_000,
    }),
    deadMs: numberOption(own(given, "deadMs"), `${where}.deadMs`, {
      min: 0,
      max: decadeMs,
      fallback: 2_592_000_000,
    }),
    done: count("done"),
    dead: count("dead"),
  };
}
