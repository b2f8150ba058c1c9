/** A length of time with its unit: `"250ms"`, `"10s"`, `"5m"`, `"6h"`, `"7d"`. */
export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const unitsMs: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/**
 * Milliseconds of a duration, or undefined where the text is not one: digits, optionally a fraction, and one of the units
 * ms, s, m, h and d. The result must be a whole number of milliseconds.
 */
export function millisecondsOf(text: unknown): number | undefined {
  if (typeof text !== "string" || text.length > 30) return undefined;
  const match = /^(\d+)(?:\.(\d+))?(ms|s|m|h|d)$/.exec(text);
  if (match === null) return undefined;
  const [, whole = "", fraction = "", unit = ""] = match;
  const factor = unitsMs.get(unit) ?? 0;
  // In integers: 1.001 * 1000 is not 1001.
  const scaled = BigInt(whole + fraction) * BigInt(factor);
  const divisor = 10n ** BigInt(fraction.length);
  const milliseconds = Number(scaled / divisor);
  return scaled % divisor === 0n && Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** What a duration may be, and what it is where it was left out. */
export interface DurationBounds {
  readonly min: Duration;
  readonly max: Duration;
  readonly fallback: Duration;
}

/** A duration as somebody would write it: `"10s"` of 10,000 milliseconds, `"90m"` of 5,400,000. */
export function durationText(milliseconds: number): Duration {
  for (const [unit, factor] of [...unitsMs].reverse()) {
    if (milliseconds >= factor && milliseconds % factor === 0) {
      return `${milliseconds / factor}${unit as "ms" | "s" | "m" | "h" | "d"}`;
    }
  }
  return `${milliseconds}ms`;
}

/** A time span for a person: `3.2 ms`, `1.5 s`, `2 min 5 s`, `3 h 20 min`, `4 d 3 h`. */
export function spanOf(ms: number): string {
  if (ms < 1000) return `${Number(ms.toFixed(ms < 10 ? 1 : 0))} ms`;
  if (ms < 10_000) return `${Number((ms / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  const parts: readonly [string, number][] = [
    ["d", Math.floor(seconds / 86_400)],
    ["h", Math.floor(seconds / 3600) % 24],
    ["min", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ];
  const first = parts.findIndex(([, count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count} ${unit}`)
    .join(" ");
}
