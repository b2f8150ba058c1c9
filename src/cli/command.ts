import { parseArgs } from "node:util";
import type { Clock } from "../lib/clock.js";
import { millisecondsOf } from "../lib/duration.js";
import type { Environment } from "../lib/environment.js";
import { nearest } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { InboxEngine } from "../types/engine.js";

/** What a command reads and writes beside files; a test gives its own. */
export interface CommandIo {
  /** What another program may read: a key, a token, a list, the bytes of a body. */
  stdout(text: string | Uint8Array): void;
  /** What a person reads. */
  stderr(text: string): void;
  /** All of standard input. Default: the process's. */
  readonly stdin?: (() => Uint8Array) | undefined;
  readonly environment: Environment;
  readonly clock: Clock;
  /** Absolute path that relative ones start from. */
  readonly cwd: string;
  /** Makes the engine of an inbox's file. Default: that of SQLite. */
  readonly inboxEngine?: ((path: string) => InboxEngine<unknown>) | undefined;
}

/** Exit codes: 0 done; 1 refused, and nothing was changed; 2 the command line was not understood. */
export type ExitCode = 0 | 1 | 2;

/** A command that ends with a message for the person who typed it. */
export class CommandFailure extends Error {
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2, message: string) {
    super(message);
    this.name = "CommandFailure";
    this.exitCode = exitCode;
  }
}

/** Exit code 1. */
export function refused(message: string): CommandFailure {
  return new CommandFailure(1, message);
}

/** Exit code 2. */
export function misused(message: string): CommandFailure {
  return new CommandFailure(2, message);
}

/** The options of a command: a text, texts (may be given several times), or a switch. */
export type OptionKinds = Readonly<Record<string, "text" | "texts" | "switch">>;

/** The values that stand on a command line. */
export type OptionValues<Kinds extends OptionKinds> = {
  readonly [Name in keyof Kinds]: Kinds[Name] extends "switch"
    ? boolean
    : Kinds[Name] extends "texts"
      ? readonly string[]
      : string | undefined;
};

/** Reads the options of a command that takes nothing else. CommandFailure 2 names what is wrong, with the near miss. */
export function readOptions<const Kinds extends OptionKinds>(
  args: readonly string[],
  kinds: Kinds,
): OptionValues<Kinds> {
  const { options, words } = readArguments(args, kinds);
  if (words[0] !== undefined) throw misused(`"${printable(words[0])}" is not expected here`);
  return options;
}

/** Reads the options of a command and the words beside them, in order. CommandFailure 2 as `readOptions`. */
export function readArguments<const Kinds extends OptionKinds>(
  args: readonly string[],
  kinds: Kinds,
): { readonly options: OptionValues<Kinds>; readonly words: readonly string[] } {
  const options = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [
      name,
      { type: kind === "switch" ? ("boolean" as const) : ("string" as const), multiple: kind === "texts" },
    ]),
  );
  assertKnown(args, options, kinds);
  let parsed: { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] };
  try {
    parsed = parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    throw misused((error as Error).message.split("\n")[0] ?? "");
  }
  const { values, positionals } = parsed;
  const read: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const fallback = kind === "switch" ? false : kind === "texts" ? [] : undefined;
    read[name] = Object.hasOwn(values, name) ? values[name] : fallback;
    if (read[name] === "") throw misused(`--${name} is empty; is a variable of the shell not set?`);
  }
  if (positionals.includes("")) throw misused("a word is empty; is a variable of the shell not set?");
  return { options: read as OptionValues<Kinds>, words: positionals };
}

function assertKnown(
  args: readonly string[],
  options: NonNullable<Parameters<typeof parseArgs>[0]>["options"],
  kinds: OptionKinds,
): void {
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(kinds, token.name)) throw misused(unknownOption(token.rawName, token.name, kinds));
    if (seen.has(token.name) && kinds[token.name] !== "texts") {
      throw misused(`${token.rawName} was given twice`);
    }
    seen.add(token.name);
  }
}

function unknownOption(rawName: string, name: string, kinds: OptionKinds): string {
  const known = Object.keys(kinds);
  const near = nearest(name, known);
  const hint =
    near === undefined
      ? `the options are ${known.map((k) => `--${k}`).join(", ")}`
      : `did you mean --${near}?`;
  return `there is no option ${rawName}; ${hint}`;
}

/** The value of an option that a command cannot do without. */
export function required(value: string | undefined, name: string): string {
  if (value === undefined) throw misused(`--${name} is missing`);
  return value;
}

/** A hundred years: a date that far from now can still be written. */
const longestMs = 36_500 * 86_400_000;

/** A duration such as `30s`, `1.5h` or `90d`, at most 36500d, in milliseconds; undefined for any other text. */
export function parseDuration(text: string): number | undefined {
  const ms = millisecondsOf(text);
  return ms !== undefined && ms > 0 && ms <= longestMs ? ms : undefined;
}

/**
 * An instant as ISO 8601 text, of an option that takes a duration from now or an instant. Whether the instant exists is for
 * the parser of the file to say. CommandFailure 2 for text that is neither.
 */
export function parseWhen(text: string | undefined, name: string, nowMs: number): string | undefined {
  if (text === undefined) return undefined;
  const fromNowMs = parseDuration(text);
  if (fromNowMs !== undefined) return new Date(nowMs + fromNowMs).toISOString();
  if (/^\d{4}-/.test(text)) return text;
  throw misused(
    `--${name} must be a duration from now such as 12h or 90d, at most 36500d, or an instant with its zone such as ` +
      `2030-01-31T08:00:00Z, not "${printable(text)}"`,
  );
}
