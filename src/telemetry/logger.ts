import { type Clock, timeOf } from "../lib/clock.js";
import { errorText, isError, taskErrorOf } from "../lib/kept-error.js";
import { escapeUnseen } from "../lib/printable.js";
import type { Logger } from "../types/report.js";

/** The logger of those who give none. */
export interface TextLog extends Logger {
  /** Whether somebody is watching: then it begins at INFO, and a stack has lines of its own. */
  readonly terminal: boolean;
  isLevelEnabled(level: string): boolean;
  /** Writes a line whatever the level: what everyone is told once. */
  announce(message: string): void;
}

/** The seams of a `TextLog`, for tests. */
export interface TextLogOptions {
  readonly write?: (text: string) => void;
  readonly terminal?: boolean;
}

/**
 * Writes to standard error: on a terminal INFO and above, with the stack of an error below its line; elsewhere warnings
 * and errors, one line each.
 */
export function stderrLogger(clock: Clock, options: TextLogOptions = {}): TextLog {
  const { write = (text: string) => process.stderr.write(text) } = options;
  const terminal = options.terminal ?? process.stderr.isTTY === true;
  const line = (level: string, details: object, message: string): void => {
    const { text, below } = rendered(details, terminal);
    const time = new Date(timeOf(clock)).toISOString();
    write(`${escapeUnseen(`${time} ${level} hookgate: ${message}${text}`)}\n${below}`);
  };
  const levels = terminal ? ["info", "warn", "error"] : ["warn", "error"];
  return {
    terminal,
    isLevelEnabled: (level) => levels.includes(level),
    announce: (message) => line("INFO", {}, message),
    debug() {},
    info: (details, message) => {
      if (terminal) line("INFO", details, message);
    },
    warn: (details, message) => line("WARN", details, message),
    error: (details, message) => line("ERROR", details, message),
  };
}

/** Details as JSON for the line, and on a terminal the error below it. */
function rendered(details: object, terminal: boolean): { readonly text: string; readonly below: string } {
  try {
    const { err, ...others } = details as { readonly err?: unknown };
    const below = terminal && isError(err) ? stackLines(err) : undefined;
    const text = JSON.stringify(below === undefined ? details : others, plain);
    return {
      text: text === "{}" ? "" : ` ${text}`,
      below: (below ?? []).map((line) => `    ${escapeUnseen(line)}\n`).join(""),
    };
  } catch {
    return { text: "", below: "" };
  }
}

/** `this` has the value as it was, before a `toJSON` of its own was asked: that of an Error tells all it has. */
function plain(this: unknown, key: string, value: unknown): unknown {
  const given: unknown = Reflect.get(Object(this), key);
  if (typeof given === "bigint") return given.toString();
  return isError(given) ? stackLines(given).join("\n") : value;
}

/** The first cause comes first: it is what has to be mended. */
function stackLines(error: unknown): string[] {
  const chain = [taskErrorOf(error)];
  for (let cause = chain[0]?.cause; cause !== undefined; cause = cause.cause) chain.unshift(cause);
  return chain.flatMap((kept, at) => {
    const [, ...frames] = (kept.stack ?? "").split("\n");
    return [`${at === 0 ? "" : "which caused "}${errorText(kept)}`, ...frames];
  });
}
