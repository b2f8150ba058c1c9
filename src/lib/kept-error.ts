/**
 * What is kept of an error: by the log, the store and a span alike. What was thrown may hold a request with its key, or a
 * customer's record, in any member, so an error of our own is made from the few members that an operator needs.
 */
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import type { TaskError } from "../types/engine.js";
import { shown } from "./printable.js";

const maxMessage = 2_000;
const maxName = 100;
const maxStackBytes = 2_048;
const maxStackHead = 200;
const maxCauses = 3;

/**
 * `name`, `message` (at most 2,000 characters), `code` where it is a string or number, `stack` (at most 2 KB) and `cause`
 * (at most three, in the same form) of whatever was thrown. Of what is neither an Error nor a primitive only the kind is
 * kept. Control characters are escaped. Never throws, whatever getters and Proxies do.
 */
export function taskErrorOf(thrown: unknown, keepStack = true): TaskError {
  return keep(thrown, keepStack, maxCauses);
}

/** An Error of ours that says what `kept` says, and nothing else; its class has the name of the one that was thrown. */
export function errorFrom(kept: TaskError): Error {
  const { name, code, message, cause, issues } = kept;
  const error = new Error(message, cause === undefined ? undefined : { cause: errorFrom(cause) });
  const hidden = (value: unknown) => ({ value, configurable: true, writable: true });
  Object.defineProperties(error, {
    name: hidden(name),
    stack: hidden(kept.stack ?? headOf(kept)),
    // Loggers tell the class of an error by the name of its constructor (pino's `type`).
    constructor: hidden(Object.defineProperty(() => {}, "name", { value: name })),
  });
  return Object.assign(error, code === undefined ? {} : { code }, issues === undefined ? {} : { issues });
}

/** An Error of ours made from what was thrown. */
export function keptError(thrown: unknown, keepStack = true): Error {
  return errorFrom(taskErrorOf(thrown, keepStack));
}

/** `TypeError: no shelf`; of what was thrown without being an Error the message alone. */
export function errorText({ name, code, message }: TaskError, maxLength = maxMessage): string {
  const known = message === "" ? (code ?? "") : message;
  const text = primitives.has(name) ? `${known}` : known === "" ? name : `${name}: ${known}`;
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

/** `instanceof` that is false where a Proxy keeps its prototype to itself. */
export function isInstance<T>(value: unknown, of: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof of;
  } catch {
    return false;
  }
}

/** Whether a value is an Error, also one of another realm. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || isInstance(value, Error);
}

const primitives: ReadonlySet<string> = new Set(["string", "number", "boolean", "bigint", "symbol"]);

function keep(thrown: unknown, keepStack: boolean, causesLeft: number): TaskError {
  if (isError(thrown)) return keepMembers(thrown, keepStack, causesLeft);
  if (thrown === null || thrown === undefined) return { name: `${thrown}`, message: `${thrown} was thrown` };
  const name = typeof thrown;
  if (typeof thrown !== "object" && typeof thrown !== "function") {
    return { name, message: shown(String(thrown), maxMessage) };
  }
  return {
    name,
    message: `${name === "object" ? "an object" : "a function"} was thrown instead of an Error`,
  };
}

function keepMembers(error: Error, keepStack: boolean, causesLeft: number): TaskError {
  const code = codeOf(error);
  const head = {
    name: nameOf(error),
    ...(code === undefined ? {} : { code }),
    message: textOf(read(error, "message"), maxMessage) ?? "",
  };
  const stack = keepStack ? stackOf(error, head) : undefined;
  const cause = causesLeft > 0 ? read(error, "cause") : undefined;
  return {
    ...head,
    ...(stack === undefined ? {} : { stack }),
    // Of other objects only the kind would be left.
    ...(isError(cause) || typeof cause === "string" ? { cause: keep(cause, keepStack, causesLeft - 1) } : {}),
  };
}

function nameOf(error: Error): string {
  const own = textOf(read(error, "name"), maxName);
  if (own !== undefined && own !== "" && own !== "Error") return own;
  // A class that sets no name of its own is called Error by its instances.
  const made: unknown = read(error, "constructor");
  const name = typeof made === "function" ? textOf(read(made, "name"), maxName) : undefined;
  return name === undefined || name === "" ? "Error" : name;
}

function codeOf(error: Error): string | number | undefined {
  const code = read(error, "code");
  if (typeof code === "number") return Number.isFinite(code) ? code : undefined;
  return typeof code === "string" && code !== "" ? shown(code, maxName) : undefined;
}

function headOf(kept: TaskError): string {
  return errorText(kept, maxStackHead);
}

/** The frames as V8 writes them, without those of ours and of Node.js that say nothing of the user's code. */
function stackOf(error: Error, head: TaskError): string | undefined {
  const stack = read(error, "stack");
  if (typeof stack !== "string") return undefined;
  const lines = stack.slice(0, 50_000).split("\n");
  const frames = lines.filter((line) => /^\s+at \S/.test(line)).map((line) => shown(line.trim(), 500));
  if (frames.length === 0) return undefined;
  const theirs = frames.filter((frame) => !isOwnFrame(frame));
  return cutLines([headOf(head), ...(theirs.length === 0 ? frames : theirs).map((frame) => `    ${frame}`)]);
}

/** As many whole lines as fit. */
function cutLines(lines: readonly string[]): string {
  let bytes = -1;
  const kept = lines.filter((line) => {
    bytes += Buffer.byteLength(line) + 1;
    return bytes <= maxStackBytes;
  });
  return kept.join("\n");
}

/** Below the folder of our files; nothing where they were bundled into a file of the user's. */
const ownFolders: readonly string[] = ownFoldersOf(import.meta.url);

/** The folder that the package's files are in, as URL and as path; none for a file that is not ours alone. */
export function ownFoldersOf(url: string): readonly string[] {
  const match = /^(file:.*\/)lib\/kept-error\.(?:js|ts)$/.exec(url);
  return match?.[1] === undefined ? [] : [match[1], fileURLToPath(match[1])];
}

function isOwnFrame(frame: string): boolean {
  return frame.includes("node:internal/") || ownFolders.some((folder) => frame.includes(folder));
}

function read(of: object, member: string): unknown {
  try {
    return Reflect.get(of, member);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown, maxLength: number): string | undefined {
  return typeof value === "string" ? shown(value, maxLength) : undefined;
}
