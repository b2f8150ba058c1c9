/**
 * Checks that are made once, when something is constructed. Each throws an OptionError that names the option and the
 * fix. Only own properties count, so that a polluted Object.prototype sets no option (ATTACKS I09).
 */
import { type DurationBounds, durationText, millisecondsOf } from "./duration.js";
import { retiredHint, retiredOptions } from "./retired-names.js";

/** A mistake in an option: a TypeError whose message names the option and the fix. */
export class OptionError extends TypeError {
  /** Tells it apart from other TypeErrors. */
  readonly code = "ERR_OPTION";
  /** The option's path, such as `inbox.lease`. */
  readonly option: string;

  /** `place`: the function that was given the option, and its path, as in `createReceiver.inbox.lease`; the message begins with it. */
  constructor(
    place: string,
    fault: string,
    {
      option = optionPath(place),
      ...options
    }: ErrorOptions & {
      /** The option's path. Default: the one in `place`. */
      readonly option?: string | undefined;
    } = {},
  ) {
    super(`${place}${fault}`, options);
    this.option = option;
  }

  /** An error about the option at this path, in words of its own. */
  static of(option: string, message: string, options?: ErrorOptions): OptionError {
    return new OptionError("", message, { ...options, option });
  }

  /** The same mistake, with words put before the message. */
  within(prefix: string): OptionError {
    return OptionError.of(this.option, `${prefix}${this.message}`, { cause: this });
  }
}

/** `inbox.lease` of `createReceiver.inbox.lease`, `timeout` of `on("order.paid") timeout`. */
function optionPath(place: string): string {
  const path = place.replace(
    /^[\w$]+(?:\((?:"(?:[^"\\]|\\.)*")?\))?(?:'s options\b|'s (?=\w)| options\b)?[. ]?/,
    "",
  );
  return path === "" ? "options" : path;
}

/** The names of a type's members; of a union, those of all its parts. */
type NamesOf<T> = T extends unknown ? Extract<keyof T, string> : never;

/**
 * The names of all options of `T`, for `assertOptions`. A name that is missing, misspelled or unknown does not compile.
 *
 * @example
 * const known = optionKeys<RetryDelays>({ minDelay: true, maxDelay: true });
 */
export function optionKeys<T>(names: Readonly<Record<NamesOf<T>, true>>): OptionKeys<NamesOf<T>> {
  return Object.keys(names) as unknown as OptionKeys<NamesOf<T>>;
}

declare const exhaustive: unique symbol;

/** What `optionKeys` makes: `assertOptions` takes no other list, so that none can forget an option. */
export interface OptionKeys<Name extends string = string> extends ReadonlyArray<Name> {
  readonly [exhaustive]: true;
}

/** Refuses anything but a plain options object, and keys that are not known, naming the near miss. */
export function assertOptions(
  value: unknown,
  known: OptionKeys,
  where: string,
): asserts value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new OptionError(where, ` must be an object, not ${describe(value)}`);
  }
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === "string" && known.includes(key)) continue;
    const name = String(key);
    const hint = retiredHint(name, Reflect.get(value, key), known) ?? unknownHint(name, known);
    const message = `${where} has no option "${name}"; ${hint}`;
    throw OptionError.of(optionPath(`${where}.${name}`), message);
  }
}

/** An option of this very name elsewhere is more likely than one that is misspelled by more than one letter. */
function unknownHint(name: string, known: readonly string[]): string {
  const now = retiredOptions.get(name)?.[0]?.to ?? name;
  const place = nearest(name, known, 1) === undefined ? placeHint(now) : undefined;
  if (place !== undefined) return place;
  const near = nearest(name, known);
  return near === undefined ? `known options: ${known.join(", ")}` : `did you mean "${near}"?`;
}

/** The own property `key` of an options object, or undefined. */
export function own<T extends object, K extends keyof T>(options: T, key: K): T[K] | undefined {
  return Object.hasOwn(options, key) ? options[key] : undefined;
}

/**
 * The own members of an object, so that destructuring takes its defaults for what was left out and not what somebody put on
 * Object.prototype. For objects that hold rules; of a class's instance the methods are lost.
 */
export function ownMembers<T extends object>(value: T): T {
  return Object.assign(Object.create(null) as T, value);
}

/** A finite number within bounds, or the default where it was left out. Units belong in the option's name. */
export function numberOption(
  value: unknown,
  where: string,
  bounds: {
    readonly min: number;
    readonly max: number;
    readonly fallback: number;
    readonly integer?: boolean;
  },
): number {
  if (value === undefined) return bounds.fallback;
  const fits =
    typeof value === "number" &&
    value >= bounds.min &&
    value <= bounds.max &&
    (bounds.integer !== true || Number.isSafeInteger(value));
  if (!fits) {
    const kind = bounds.integer === true ? "a whole number" : "a number";
    throw new OptionError(
      where,
      ` must be ${kind} from ${bounds.min} to ${bounds.max}, not ${describe(value)}`,
    );
  }
  return value;
}

/** A duration within bounds, in milliseconds, or the default where it was left out. Throws a TypeError that names the option. */
export function durationOption(value: unknown, where: string, bounds: DurationBounds): number {
  const milliseconds = millisecondsOf(value === undefined ? bounds.fallback : value);
  const [min, max] = [millisecondsOf(bounds.min) ?? 0, millisecondsOf(bounds.max) ?? 0];
  if (milliseconds === undefined || milliseconds < min || milliseconds > max) {
    const isMilliseconds =
      Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
    const fix = isMilliseconds ? `; write ${lastName(where)}: "${durationText(value as number)}"` : "";
    throw new OptionError(
      where,
      ` must be a duration such as "10s", from "${bounds.min}" to "${bounds.max}", not ${shownDuration(value)}${fix}`,
    );
  }
  return milliseconds;
}

/** `lease` of `createReceiver.inbox.lease`, `timeout` of `on("order.paid") timeout`. */
function lastName(where: string): string {
  return where.slice(Math.max(where.lastIndexOf("."), where.lastIndexOf(" ")) + 1);
}

/**
 * Milliseconds of a duration such as `"250ms"`, `"10s"`, `"5m"`, `"6h"` or `"7d"`, for what comes from an environment
 * variable or a file. Throws an OptionError for anything else, and for what is not a whole number of milliseconds.
 *
 * @example
 * const pollMs = parseDuration(process.env.POLL_EVERY ?? "30s");
 */
export function parseDuration(text: string): number {
  const milliseconds = millisecondsOf(text);
  if (milliseconds !== undefined) return milliseconds;
  throw OptionError.of(
    "duration",
    `a duration is a number and one of the units ms, s, m, h and d, such as "250ms" or "1.5h", and a whole number of milliseconds, not ${shownDuration(text)}`,
  );
}

function shownDuration(value: unknown): string {
  return typeof value === "string" && value.length <= 30 ? JSON.stringify(value) : describe(value);
}

const isoWithZone = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** An instant in milliseconds since the epoch, from a Date or ISO 8601 text with its zone, or the default where it was left out. */
export function instantOption<Fallback>(
  value: unknown,
  where: string,
  fallback: Fallback,
): number | Fallback {
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

/** A string with something in it. */
export function stringOption(value: unknown, where: string): string {
  if (typeof value !== "string" || value.trim() === "") {
    throw new OptionError(where, ` must be a string that is not empty, not ${describe(value)}`);
  }
  return value;
}

/** One of a closed set of strings, or the default where it was left out. */
export function choiceOption<T extends string>(
  value: unknown,
  where: string,
  choices: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) {
    throw new OptionError(
      where,
      ` must be one of ${choices.map((c) => `"${c}"`).join(", ")}, not ${describe(value)}`,
    );
  }
  return found;
}

/** `true`, or left out. Anything else is refused, so that a truthy string never weakens a check. */
export function flagOption(value: unknown, where: string): boolean {
  if (value === undefined || value === false) return false;
  if (value === true) return true;
  throw new OptionError(where, ` must be true or left out, not ${describe(value)}`);
}

/** `true` or `false`, or the default where it was left out: for what weakens no check. */
export function switchOption(value: unknown, where: string, fallback: boolean): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? fallback;
  throw new OptionError(where, ` must be true or false, not ${describe(value)}`);
}

/** The kind of a value for an error message; never the value of a string, which may be a secret. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return value === "" ? "an empty string" : "a string";
  if (typeof value === "undefined") return "undefined";
  return `a${/^[aeiou]/.test(typeof value) ? "n" : ""} ${typeof value}`;
}

/** The known name that a misspelled one was most likely meant to be, or undefined where none is within so many letters. */
export function nearest(name: string, known: readonly string[], mostFaults = 3): string | undefined {
  let best: string | undefined;
  let bestDistance = mostFaults + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance && distance < candidate.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance; both sides are short option names. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** Where the options of a receiver belong, so that one that was written in the wrong place is told its right one. */

/** The options of `createReceiver` itself. */
const ofReceiver = "createReceiver's own options";

/**
 * Options by their place, as a user writes it. Each list is the one that its own file checks; a test holds them together.
 * Names that mean something of their own in several places (`name`, `id`, `key`) are told by the near miss alone.
 */
export const optionPlaces: ReadonlyMap<string, readonly string[]> = new Map([
  [
    ofReceiver,
    [
      ...["name", "events", "auth", "source", "allowIps", "clientAddress", "body", "type", "id", "data"],
      ...[
        "handlerTimeout",
        "maxConcurrent",
        "unknownTypes",
        "maxFailuresPerMinute",
        "inbox",
        "logger",
        "hooks",
        "keepStacks",
      ],
      ...["clock", "realm"],
    ],
  ],
  [
    "inbox",
    [
      ...["engine", "workers", "keepHeaders", "deduplicateFor", "maxBacklog", "onInvalid", "acceptTimeout"],
      ...["lease", "maxAttempts", "retry", "retention"],
    ],
  ],
  ["inbox.retry", ["minDelay", "maxDelay"]],
  ["inbox.retention", ["done", "dead", "maxDone", "maxDead"]],
  ["auth", ["serviceKey", "jwt", "credentials", "accept", "keyHeader", "dangerouslyAcceptAnyone"]],
  ["allowIps", ["ranges", "mode", "dangerouslyAllowAnyAddress"]],
  ["clientAddress", ["trustedProxies", "header"]],
  ["body", ["maxBytes", "timeout", "types", "rawBodyFrom"]],
  [
    "the options of on()",
    ["name", "timeout", "concurrency", "maxAttempts", "retry", "orderingKey", "onDeadLetter"],
  ],
]);

/** Names that several places have, each with a meaning of its own, and that say little by themselves. */
const common: ReadonlySet<string> = new Set([
  "name",
  "id",
  "type",
  "data",
  "types",
  "header",
  "mode",
  "done",
  "dead",
  "timeout",
]);

/** Where an option of this name belongs, for a message; undefined where it belongs nowhere. */
function placeHint(name: string): string | undefined {
  if (common.has(name)) return undefined;
  const places = [...optionPlaces].filter(([, names]) => names.includes(name)).map(([place]) => place);
  const [first] = places;
  if (first === undefined) return undefined;
  const belongs = `\`${name}\` belongs in ${places.map(placeText).join(", or in ")}`;
  return /^\w+$/.test(first) ? `${belongs}: write \`${first}: { ${name}: … }\`` : belongs;
}

function placeText(place: string): string {
  return /^[\w.]+$/.test(place) ? `\`${place}\`` : place;
}
