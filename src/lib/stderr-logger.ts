import type { Logger } from "../contracts/logger.js";
import type { Clock } from "./clock.js";

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

function errorText(error: Error): string {
  return error.stack ?? `${error.name}: ${error.message}`;
}
