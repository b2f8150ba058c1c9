import { printable } from "../lib/printable.js";
import type { TaskError } from "../types/engine.js";

/**
 * Rows as a table with a header, each cell padded to its column. The cells must be printable; an empty one is shown
 * as `-`.
 */
export function tableOf(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [columns, ...rows.map((row) => row.map((cell) => (cell === "" ? "-" : cell)))];
  const widths = columns.map((_name, column) =>
    lines.reduce((most, line) => Math.max(most, line[column]?.length ?? 0), 0),
  );
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

/** A value as JSON in ASCII: what a terminal obeys is escaped, and a program reads the same text (ATTACKS I02). */
export function jsonOf(value: unknown): string {
  const text = JSON.stringify(value, null, 2).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${text}\n`;
}

/** An instant in ISO 8601, which `--since` takes again; the bare number where the calendar has no such day. */
export function instantOf(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

/** A kept error in one line: class, code, message. */
export function errorOf({ name, code, message }: TaskError, maxLength = 300): string {
  return printable(`${name}${code === undefined ? "" : ` ${code}`}: ${message}`, maxLength);
}

/** A number with its noun: `1 task`, `2,000 tasks`. */
export function countOf(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A size for a person: `512 bytes`, `24 KB`, `85.2 MB`, `1.3 GB`. */
export function sizeOf(bytes: number): string {
  if (bytes < 1_000) return countOf(bytes, "byte");
  const [unit, factor] = (
    [
      ["GB", 1e9],
      ["MB", 1e6],
      ["KB", 1e3],
    ] as const
  ).find(([, size]) => bytes >= size) ?? ["KB", 1e3];
  const count = bytes / factor;
  return `${count < 100 && unit !== "KB" ? count.toFixed(1) : Math.round(count)} ${unit}`;
}
