import { dirname, resolve } from "node:path";
import type { Environment } from "../../lib/environment.js";
import { decodeUtf8, isObject, parseStrictJson } from "../../lib/json.js";

import {
  assertOptions,
  choiceOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../../lib/options.js";
import { Problems } from "./credential-index.js";

/** The files and variables that a credentials file refers to. */
export interface ReferenceReader {
  /** The bytes of a file, by absolute path. Throws where it cannot be read. */
  readFile(path: string): Buffer;
  readonly environment: Environment;
}

/** A credentials file of version 2 without its `version` and its references: the shape that `defineCredentials` takes. */
export interface FileDefinition {
  readonly definition: unknown;
  /** Absolute paths of the files that it refers to. */
  readonly references: readonly string[];
}

/** How places in a credentials file are named in messages; `indexDefinition` continues from it. */
export const definitionName = "credentials";

/** Parses the text of a credentials file as strict JSON. A TypeError says what is wrong with it. */
export function parseCredentialsJson(bytes: Buffer): unknown {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new TypeError("it is not UTF-8 text");
  const parsed = parseStrictJson(text);
  if (!parsed.ok) throw new TypeError(`it is not usable JSON: ${parsed.reason}`);
  return parsed.value;
}

/**
 * Replaces references by what they refer to, and refuses secrets that are written in the file itself: keys are given as
 * `digest`, HMAC secrets as `{ "env": NAME }` or `{ "file": PATH }`. Public keys and key sets may be in the file
 * or be `{ "file": PATH }`. Throws one TypeError that names every mistake. What has another shape than expected is
 * passed on untouched, for `indexDefinition` to name.
 */
export function resolveReferences(document: unknown, path: string, reader: ReferenceReader): FileDefinition {
  const problems = new Problems();
  const references = new Set<string>();
  const read = (value: Members, where: string): string => {
    const file = own(value, "file");
    if (file === undefined) return readVariable(own(value, "env"), where, reader.environment);
    const absolute = resolve(dirname(path), stringOption(file, `${where}.file`));
    references.add(absolute);
    return readText(absolute, where, reader);
  };
  const unversioned = isObject(document) ? without(document, "version") : document;
  const definition = mapMember(unversioned, "tenants", definitionName, (tenants, where) =>
    mapEach(tenants, where, (tenant, tenantWhere) => {
      const checked = mapMember(tenant, "profileKeys", tenantWhere, (keys, at) =>
        mapEach(keys, at, (key, keyAt) => refusePlainKey(key, keyAt, problems)),
      );
      return mapMember(checked, "services", tenantWhere, (services, at) =>
        mapEach(services, at, (service, serviceAt) => resolveService(service, serviceAt, read, problems)),
      );
    }),
  );
  problems.throwIfAny();
  return { definition, references: [...references] };
}

/** The members of an object of a JSON text. */
export type Members = Record<string, unknown>;
type Read = (reference: Members, where: string) => string;

function resolveService(service: unknown, where: string, read: Read, problems: Problems): unknown {
  const checked = mapMember(service, "serviceKeys", where, (keys, at) =>
    mapEach(keys, at, (key, keyAt) => refusePlainKey(key, keyAt, problems)),
  );
  return mapMember(checked, "jwt", where, (jwt, at) =>
    Array.isArray(jwt)
      ? mapEach(jwt, at, (token, tokenAt) => resolveToken(token, tokenAt, read, problems))
      : resolveToken(jwt, at, read, problems),
  );
}

function refusePlainKey(key: unknown, where: string, problems: Problems): unknown {
  if (isObject(key) && Object.hasOwn(key, "key")) {
    problems.add(
      `${where}.key: a key must not be written in a file; put its SHA-256 there as "digest" (npx hookgate key new writes ` +
        "it), and take the key for leaked if others could read the file",
    );
    return without(key, "key");
  }
  return key;
}

function resolveToken(token: unknown, where: string, read: Read, problems: Problems): unknown {
  const withSecret = mapMember(token, "secret", where, (secret, at) =>
    problems.attempt(() => resolveSecret(secret, at, read)),
  );
  const withPublicKey = mapMember(withSecret, "publicKey", where, (value, at) =>
    isFileReference(value) ? problems.attempt(() => read(value, at)) : value,
  );
  return mapMember(withPublicKey, "jwks", where, (value, at) =>
    isFileReference(value) ? problems.attempt(() => readJson(value, at, read)) : value,
  );
}

/** A secret as a file refers to it. */
type SecretReference = ({ readonly env: string } | { readonly file: string }) & {
  readonly encoding?: "text" | "base64";
};
const secretNames = optionKeys<SecretReference>({ env: true, file: true, encoding: true });

function resolveSecret(secret: unknown, where: string, read: Read): unknown {
  if (!isObject(secret) || Object.hasOwn(secret, "env") === Object.hasOwn(secret, "file")) {
    throw new OptionError(
      where,
      `: a secret must not be written in a file; refer to it by { "env": "NAME" } or { "file": "path" }`,
    );
  }
  assertOptions(secret, secretNames, where);
  const encoding = choiceOption(own(secret, "encoding"), `${where}.encoding`, ["text", "base64"], "text");
  const text = read(secret, where);
  return encoding === "base64" ? { base64: text } : text;
}

function readJson(reference: Members, where: string, read: Read): unknown {
  const parsed = parseStrictJson(read(reference, where));
  if (!parsed.ok) throw new OptionError(where, `: the file ${own(reference, "file")} ${parsed.reason}`);
  return parsed.value;
}

function readVariable(name: unknown, where: string, environment: Environment): string {
  const variable = stringOption(name, `${where}.env`);
  const value = environment.variable(variable);
  if (value === undefined || value === "") {
    throw new OptionError(
      where,
      `: the environment variable ${variable} is ${value === "" ? "empty" : "not set"}; set it for this process`,
    );
  }
  return value;
}

function readText(path: string, where: string, reader: ReferenceReader): string {
  let bytes: Buffer;
  try {
    bytes = reader.readFile(path);
  } catch (error) {
    throw new OptionError(
      where,
      `: cannot read ${path} (${errorCode(error)}); the path is relative to the file`,
    );
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    throw new OptionError(
      where,
      `: ${path} is not UTF-8 text; store bytes as base64 with "encoding": "base64"`,
    );
  }
  // An editor's line end is not part of the secret.
  const end = text.endsWith("\r\n") ? -2 : text.endsWith("\n") ? -1 : text.length;
  const trimmed = text.slice(0, end);
  if (trimmed === "") throw new OptionError(where, `: ${path} is empty`);
  return trimmed;
}

/** The system's code of an error, such as ENOENT; its text may hold more than an operator should have to read. */
export function errorCode(error: unknown): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code ?? error);
}

/** A failure to read or use a credentials file, as an error that names the file and the fix. */
export function fileError(error: unknown, path: string): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof OptionError) return error.within(`credentials file ${path}: `);
  if (error instanceof TypeError && code === undefined) {
    return new TypeError(`credentials file ${path}: ${error.message}`, { cause: error });
  }
  const fix =
    code === "ENOENT"
      ? `does not exist; make it with: npx hookgate key new --file ${path} --tenant NAME --service NAME`
      : `cannot be read (${errorCode(error)}); the process needs the right to read it`;
  return new Error(`credentials file ${path} ${fix}`, { cause: error });
}

function isFileReference(value: unknown): value is Members {
  return isObject(value) && Object.hasOwn(value, "file") && Object.keys(value).length === 1;
}

function without(members: Members, name: string): Members {
  return Object.fromEntries(Object.entries(members).filter(([key]) => key !== name));
}

type Change = (value: unknown, where: string) => unknown;

/** A copy with one member changed; the value itself where it has no such member. */
export function mapMember(value: unknown, name: string, where: string, change: Change): unknown {
  if (!isObject(value) || !Object.hasOwn(value, name)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, old]) => [key, key === name ? change(old, `${where}.${name}`) : old]),
  );
}

/** A copy with every member or element changed. */
export function mapEach(value: unknown, where: string, change: Change): unknown {
  if (Array.isArray(value)) return value.map((element, at) => change(element, `${where}[${at}]`));
  if (!isObject(value)) return value;
  // fromEntries defines members, so that "__proto__" stays a name.
  return Object.fromEntries(Object.entries(value).map(([key, old]) => [key, change(old, `${where}.${key}`)]));
}
