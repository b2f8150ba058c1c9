import { choiceOption, describe, OptionError, optionKeys, own } from "../lib/options.js";

/** When a credential is valid. */
export interface LifetimeOptions {
  /** `"inactive"` switches the credential off without deleting it. Default: `"active"`. */
  readonly state?: "active" | "inactive" | undefined;
  /** Valid from this instant on: a Date, or ISO 8601 text with its zone, such as `"2030-01-31T00:00:00Z"`. Default: no start. */
  readonly notBefore?: string | Date | undefined;
  /** Valid until just before this instant: a Date, or ISO 8601 text with its zone. Default: no end. */
  readonly expiresAt?: string | Date | undefined;
}

/** The names of `LifetimeOptions`, for the check against unknown options. */
export const lifetimeOptionNames: readonly string[] = optionKeys<LifetimeOptions>({
  state: true,
  notBefore: true,
  expiresAt: true,
});

/** When a credential counts, resolved. Milliseconds since the epoch; `±Infinity` where an end is open. */
export interface Lifetime {
  readonly active: boolean;
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
}

/**
 * Reads `state`, `notBefore` and `expiresAt` of a credential's options. An instant without a zone, or a span that
 * ends before it begins, is a TypeError.
 */
export function parseLifetime(options: LifetimeOptions | Record<string, unknown>, where: string): Lifetime {
  const given: Record<string, unknown> = { ...options };
  const state = choiceOption(own(given, "state"), `${where}.state`, ["active", "inactive"], "active");
  const notBeforeMs = instant(own(given, "notBefore"), `${where}.notBefore`, Number.NEGATIVE_INFINITY);
  const expiresAtMs = instant(own(given, "expiresAt"), `${where}.expiresAt`, Number.POSITIVE_INFINITY);
  if (expiresAtMs <= notBeforeMs) {
    throw new OptionError(
      `${where}.expiresAt`,
      ` must be after ${where}.notBefore; otherwise it is never valid`,
    );
  }
  return { active: state === "active", notBeforeMs, expiresAtMs };
}

const isoWithZone = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

function instant(value: unknown, where: string, fallback: number): number {
  if (value === undefined) return fallback;
  const example = 'a Date or ISO 8601 text with its zone, such as "2030-01-31T00:00:00Z"';
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new OptionError(where, ` is an invalid Date; give ${example}`);
    return value.getTime();
  }
  if (typeof value !== "string") throw new OptionError(where, ` must be ${example}, not ${describe(value)}`);
  const ms = isoWithZone.test(value) ? parseInstant(value) : Number.NaN;
  if (Number.isNaN(ms)) throw new OptionError(where, ` must be ${example}, not "${value.slice(0, 40)}"`);
  return ms;
}

/** Date.parse, except that it rolls 31 February over into March: such a day is NaN here. */
function parseInstant(text: string): number {
  const day = text.slice(0, 10);
  const midnight = Date.parse(`${day}T00:00:00Z`);
  const rolled = Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day;
  return rolled ? Number.NaN : Date.parse(text);
}
