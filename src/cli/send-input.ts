import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseJson } from "../lib/json.js";
import { type CommandIo, misused, refused } from "./command.js";

/** A secret that stands in a variable or a file, never on the command line, where every user of the machine sees it. */
export function readSecret(
  what: string,
  { env, file }: { readonly env: string | undefined; readonly file: string | undefined },
  io: CommandIo,
): string | undefined {
  if (env !== undefined && file !== undefined)
    throw misused(`give --${what}-env or --${what}-file, not both`);
  if (env !== undefined) return variable(env, io);
  if (file === undefined) return undefined;
  // Editors end a file with a line end that is no part of the secret.
  const text = readBytes(file, `--${what}-file`, io)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (text === "") throw refused(`${file} is empty`);
  return text;
}

/** The value of an environment variable. CommandFailure 1 where it is not set. */
export function variable(name: string, io: CommandIo): string {
  const value = io.environment.variable(name);
  if (value === undefined || value === "") throw refused(`the environment variable ${name} is not set`);
  return value;
}

/** A private key as PEM. */
export function readPrivateKey(pem: string | undefined): KeyObject | undefined {
  if (pem === undefined) return undefined;
  try {
    return createPrivateKey(pem);
  } catch {
    throw refused('the private key cannot be read: it must be PEM, "-----BEGIN PRIVATE KEY-----" …');
  }
}

/** What `--data` or `--body` says: `@PATH` for a file, `-` for standard input, or the text itself. */
export function readContent(text: string, option: string, io: CommandIo): Buffer {
  if (text === "-") return Buffer.from(io.stdin === undefined ? readFileSync(0) : io.stdin());
  if (text.startsWith("@")) return readBytes(text.slice(1), option, io);
  return Buffer.from(text);
}

/** `--data` as JSON. */
export function readData(text: string | undefined, io: CommandIo): unknown {
  if (text === undefined) return {};
  try {
    return parseJson(readContent(text, "--data", io).toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw misused("--data must be JSON, @FILE or -; for a body that is sent as it is, use --body");
  }
}

/** `--header "Name: value"`, by lower-case names. */
export function readHeaders(given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.map((text) => {
      const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e]*)$/.exec(text) ?? [];
      if (name === undefined || value === undefined) throw misused(`--header must be "Name: value" in ASCII`);
      return [name.toLowerCase(), value.trimEnd()];
    }),
  );
}

function readBytes(path: string, option: string, io: CommandIo): Buffer {
  try {
    return readFileSync(resolve(io.cwd, path));
  } catch (error) {
    throw refused(`${option}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
