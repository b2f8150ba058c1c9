import { describe } from "../lib/options.js";
import { printable } from "../lib/printable.js";

/** The longest event type, in characters. */
export const maxTypeLength = 200;

/** A TypeError's words on why `name` cannot be an event type, or undefined where it can. */
export function typeNameFault(name: unknown): string | undefined {
  if (typeof name !== "string" || name === "") {
    return `an event type must be a string that is not empty, not ${describe(name)}`;
  }
  if (name.length > maxTypeLength) {
    return `the event type "${printable(name, 40)}" is longer than ${maxTypeLength} characters`;
  }
  if (name.trim() !== name || /\p{Cc}/u.test(name)) {
    return `the event type "${printable(name)}" holds a control character, or white space at its ends; remove it`;
  }
  return undefined;
}

/** An event type in quotes, fit for a message. */
export function quoted(name: string): string {
  return `"${printable(name)}"`;
}
