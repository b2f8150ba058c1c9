import type { Logger } from "../contracts/logger.js";
import type { Clock } from "./clock.js";
import { describe } from "./options.js";

/**
 * The logger of those who give none: warnings and errors as one line each on standard error.
 * `write` is the seam for tests.
 */
export function stderrLogger(
  clock: Clock,
  write: (line: string) => void = (line) => process.stderr.write(line),
): Logger {
  const line = (level: string, details: object, message: string): void => {
    write(`${new Date(clock.now()).toISOString()} ${level} hookgate: ${message}${rendered(details)}\n`);
  };
  return {
    debug() {},
    info() {},
    warn: (details, message) => line("WARN", details, message),
    error: (details, message) => line("ERROR", details, message),
  };
}

function rendered(details: object): string {
  try {
    const text = JSON.stringify(details, (_key, value: unknown) =>
      value instanceof Error ? errorText(value) : value,
    );
    return text === "{}" ? "" : ` ${text}`;
  } catch {
    return "";
  }
}

/** Errors may be each other's cause. */
const mostCauses = 5;

function errorText(error: Error, causesLeft = mostCauses): string {
  const text = error.stack ?? `${error.name}: ${error.message}`;
  if (error.cause === undefined || causesLeft === 0) return text;
  return `${text}\ncaused by: ${causeText(error.cause, causesLeft - 1)}`;
}

/** Of what is neither an error nor text only the kind: a schema's issues, for one, may quote the body. */
function causeText(cause: unknown, causesLeft: number): string {
  if (cause instanceof Error) return errorText(cause, causesLeft);
  return typeof cause === "string" ? cause : describe(cause);
}
