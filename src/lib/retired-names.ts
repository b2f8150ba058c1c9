/** Options that had another name before 0.2, so that a program that was written for them is told what to write. */
import { durationText } from "./duration.js";

/** What an option is called now. */
interface RetiredOption {
  readonly to: string;
  /** The option was a number of these, and takes a duration now. */
  readonly unit?: "ms" | "s";
  /** Values that have another name as well: old, then new, as they stand in code. */
  readonly values?: ReadonlyMap<unknown, string>;
}

/**
 * By the old name. An option whose name meant several things has a row for each: the one that the place knows applies. A new
 * row needs an example in test/types/retired-names.test.ts.
 */
export const retiredOptions: ReadonlyMap<string, readonly RetiredOption[]> = new Map<
  string,
  readonly RetiredOption[]
>([
  ["acceptTimeoutMs", [{ to: "acceptTimeout", unit: "ms" }]],
  ["ackDeadlineSeconds", [{ to: "ackDeadline", unit: "s" }]],
  ["baseMs", [{ to: "minDelay", unit: "ms" }]],
  ["beforeMs", [{ to: "before" }]],
  ["busyTimeoutMs", [{ to: "busyTimeout", unit: "ms" }]],
  ["cooldownSeconds", [{ to: "cooldown", unit: "s" }]],
  [
    "deadHead",
    [
      {
        to: "onDeadLetter",
        values: new Map([
          ["skip", '"continue"'],
          ["hold", '"block"'],
        ]),
      },
    ],
  ],
  [
    "deadlineMs",
    [
      { to: "deadline", unit: "ms" },
      { to: "timeout", unit: "ms" },
    ],
  ],
  ["deadMs", [{ to: "dead", unit: "ms" }]],
  ["deduplicationMs", [{ to: "deduplicateFor", unit: "ms" }]],
  ["doneMs", [{ to: "done", unit: "ms" }]],
  ["fromMs", [{ to: "from" }]],
  ["graceMs", [{ to: "grace", unit: "ms" }]],
  ["handlerTimeoutMs", [{ to: "handlerTimeout", unit: "ms" }]],
  [
    "invalid",
    [
      {
        to: "onInvalid",
        values: new Map([
          ["park", '"dead-letter"'],
          ["refuse", '"refuse"'],
        ]),
      },
    ],
  ],
  ["leaseMs", [{ to: "lease", unit: "ms" }]],
  ["maxAgeSeconds", [{ to: "maxAge", unit: "s" }]],
  ["maxInProgress", [{ to: "maxConcurrent" }]],
  ["maxLifetimeSeconds", [{ to: "maxLifetime", unit: "s" }]],
  ["maxMs", [{ to: "maxDelay", unit: "ms" }]],
  ["olderThanMs", [{ to: "olderThan", unit: "ms" }]],
  ["orderBy", [{ to: "orderingKey" }]],
  ["pollMs", [{ to: "pollInterval", unit: "ms" }]],
  ["preRead", [{ to: "rawBodyFrom" }]],
  [
    "replay",
    [
      {
        to: "oneTimeUse",
        values: new Map([
          ["refuse", "true"],
          ["allow", "false"],
        ]),
      },
    ],
  ],
  ["sameEvent", [{ to: "deduplicateBy" }]],
  ["staleIfErrorSeconds", [{ to: "staleIfError", unit: "s" }]],
  ["timeoutMs", [{ to: "timeout", unit: "ms" }]],
  [
    "toleranceSeconds",
    [
      { to: "tolerance", unit: "s" },
      { to: "clockTolerance", unit: "s" },
    ],
  ],
]);

/** What to write in place of an option that is gone, where these names are known; undefined for one that never was. */
export function retiredHint(name: string, value: unknown, known: readonly string[]): string | undefined {
  const row = retiredOptions.get(name)?.find(({ to }) => known.includes(to));
  if (row === undefined) return undefined;
  const { to } = row;
  const written = newValue(row, value);
  if (written !== undefined) return `it is \`${to}\` now: write ${to}: ${written}`;
  if (row.unit !== undefined) return `it is \`${to}\` now, a duration such as "10s"`;
  return `it is \`${to}\` now`;
}

/** The new value as code; undefined for what cannot be said of it, and for a string that may be a secret. */
function newValue({ to, unit, values }: RetiredOption, value: unknown): string | undefined {
  if (values !== undefined) return values.get(value);
  if (unit !== undefined) {
    const milliseconds = typeof value === "number" ? value * (unit === "s" ? 1_000 : 1) : Number.NaN;
    return Number.isSafeInteger(milliseconds) && milliseconds >= 0
      ? `"${durationText(milliseconds)}"`
      : undefined;
  }
  if ((to === "from" || to === "before") && typeof value === "number") return `new Date(${value})`;
  return typeof value === "number" || value === "id" || value === "rawBody" || value === "body"
    ? JSON.stringify(value)
    : undefined;
}
