import { setTimeout as pause } from "node:timers/promises";
import { isClockAhead } from "../lib/clock.js";
import { printable } from "../lib/printable.js";
import {
  type CommandIo,
  type ExitCode,
  misused,
  parseSpan,
  readOptions,
  refused,
  required,
} from "./command.js";
import { countOption } from "./events-filter.js";
import { reasonOf, type Store, withStore } from "./events-store.js";
import { countOf, jsonOf } from "./events-text.js";

/** As many events as are deleted in one commit: the app that accepts meanwhile waits no longer than for that. */
const batch = 500;

/** Time for others between two commits, in milliseconds. */
const pauseMs = 10;

interface Purge {
  readonly receiver: string | undefined;
  readonly state: "done" | "dead";
  readonly beforeMs: number;
  readonly keep: number | undefined;
  readonly trustClock: boolean;
}

/** `hookgate events purge`: deletes events that are done or dead, by age, by number, or both, in small batches. */
export async function eventsPurge(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, {
    db: "text",
    receiver: "text",
    state: "text",
    "older-than": "text",
    keep: "text",
    "trust-clock": "switch",
    json: "switch",
  });
  const age = ageOf(options["older-than"]);
  const what: Purge = {
    receiver: options.receiver,
    state: stateOf(required(options.state, "state")),
    // Without an age everything until now: an app that goes on handling must not keep this from ending.
    beforeMs: io.clock.now() - (age ?? 0),
    keep: countOption(options.keep, "keep", { min: 0, max: Number.MAX_SAFE_INTEGER }),
    // What is deleted whatever its age does not depend on the clock.
    trustClock: options["trust-clock"] || age === undefined,
  };
  if (age === undefined && what.keep === undefined) {
    throw misused("--older-than, --keep or both are needed; --keep 0 keeps none");
  }
  const purged = await withStore(options.db, io, (store) => purgeAll(store, what));
  if (options.json) io.stdout(jsonOf({ purged }));
  else io.stderr(`${countOf(purged, "event")} purged.\n`);
  return 0;
}

async function purgeAll(store: Store, what: Purge): Promise<number> {
  let total = 0;
  for (;;) {
    let count: number;
    try {
      count = await store.purge({ ...what, limit: batch });
    } catch (error) {
      const hint = isClockAhead(error) ? "; if the clock is right, add --trust-clock" : "";
      if (total === 0 && hint === "") throw error;
      const before = total === 0 ? "" : `${countOf(total, "event")} purged, then: `;
      throw refused(`${before}${reasonOf(error)}${hint}`);
    }
    total += count;
    if (count === 0) return total;
    await pause(pauseMs);
  }
}

function stateOf(text: string): "done" | "dead" {
  if (text !== "done" && text !== "dead") {
    throw misused(
      `--state must be done or dead, not "${printable(text)}"; what waits is not purged, but dropped`,
    );
  }
  return text;
}

function ageOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseSpan(text);
  if (ms === undefined)
    throw misused(`--older-than must be a span such as 12h or 30d, not "${printable(text)}"`);
  return ms;
}
