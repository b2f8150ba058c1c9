import { choiceOption, instantOption, OptionError, optionKeys, own } from "../lib/options.js";

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
  const notBeforeMs = instantOption(own(given, "notBefore"), `${where}.notBefore`, Number.NEGATIVE_INFINITY);
  const expiresAtMs = instantOption(own(given, "expiresAt"), `${where}.expiresAt`, Number.POSITIVE_INFINITY);
  if (expiresAtMs <= notBeforeMs) {
    throw new OptionError(
      `${where}.expiresAt`,
      ` must be after ${where}.notBefore; otherwise it is never valid`,
    );
  }
  return { active: state === "active", notBeforeMs, expiresAtMs };
}
