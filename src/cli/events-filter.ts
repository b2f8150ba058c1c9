import { printable } from "../lib/printable.js";
import type { EventFilter, EventState } from "../types/engine.js";
import { type CommandIo, misused, type OptionValues, parseSpan } from "./command.js";

/** The options that choose events, beside `--handler`, which not every command means alike. */
export const filterKinds = {
  receiver: "text",
  type: "text",
  state: "text",
  source: "text",
  tenant: "text",
  service: "text",
  "id-contains": "text",
  since: "text",
  until: "text",
} as const;

/** What the options of `filterKinds` say. */
export type FilterOptions = OptionValues<typeof filterKinds>;

const states = ["pending", "done", "dead", "ignored"] as const;

/** The filter that options make. CommandFailure 2 for a state or a time that cannot be read. */
export function filterOf(options: FilterOptions, io: CommandIo): EventFilter {
  const nowMs = io.clock.now();
  const filter = {
    receiver: options.receiver,
    type: options.type,
    state: options.state === undefined ? undefined : stateOf(options.state),
    source: options.source,
    tenant: options.tenant,
    service: options.service,
    idContains: options["id-contains"],
    fromMs: instantOption(options.since, "since", nowMs),
    beforeMs: instantOption(options.until, "until", nowMs),
  };
  if (filter.fromMs !== undefined && filter.beforeMs !== undefined && filter.fromMs >= filter.beforeMs) {
    throw misused("--since must lie before --until; as given nothing matches");
  }
  return filter;
}

/** Whether any option of `filterKinds` is there. */
export function hasFilter(options: FilterOptions): boolean {
  return Object.keys(filterKinds).some((name) => options[name as keyof FilterOptions] !== undefined);
}

function stateOf(text: string): EventState {
  const found = states.find((state) => state === text);
  if (found === undefined) {
    throw misused(`--state must be one of ${states.join(", ")}, not "${printable(text)}"`);
  }
  return found;
}

const isoWithZone = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** A span before now, or an instant; a day alone begins at midnight UTC. Milliseconds since the epoch. */
function instantOption(text: string | undefined, name: string, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const span = parseSpan(text);
  if (span !== undefined) return nowMs - span;
  const midnight = Date.parse(`${text.slice(0, 10)}T00:00:00Z`);
  // Date.parse rolls 31 February over into March.
  const exists = !Number.isNaN(midnight) && text.startsWith(new Date(midnight).toISOString().slice(0, 10));
  const ms = isoWithZone.test(text) && exists ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw misused(
      `--${name} must be a span before now such as 30m, 2h or 7d, or an instant with its zone such as 2030-01-31T08:00:00Z, not "${printable(text)}"`,
    );
  }
  return ms;
}

/** A whole number from an option. CommandFailure 2 where it is none, or out of bounds. */
export function countOption(
  text: string | undefined,
  name: string,
  bounds: { readonly min: number; readonly max: number },
): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= bounds.min && count <= bounds.max)) {
    throw misused(
      `--${name} must be a whole number from ${bounds.min} to ${bounds.max}, not "${printable(text)}"`,
    );
  }
  return count;
}
