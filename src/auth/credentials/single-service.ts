import type { Clock } from "../../lib/clock.js";
import { assertOptions, describe, OptionError, own } from "../../lib/options.js";
import type { Owner } from "../../types/credential.js";
import { parseKeyHeader } from "../key-header.js";
import { type KeyOptions, makeAKey, parseKeyOptions } from "../key-options.js";
import { IndexBuilder } from "./credential-index.js";
import { addTokens, type Credentials, joinSource } from "./define.js";
import { Problems } from "./problems.js";
import { createReports } from "./reports.js";

/** The keys of a single service: one, several, or with ids, lifetimes and a header of your own. */
export type ServiceKeyOptions =
  | string
  | readonly string[]
  | {
      /** Header that the key stands in. Default: `key`. */
      readonly header?: string;
      readonly keys: readonly KeyOptions[];
    };

/** The tenant that the service of the single-service form belongs to. */
export const defaultTenant = "default";

/**
 * The one-line form of `auth` as credentials: tenant "default", one service. Keys without an id are `key-1`, `key-2`
 * and so on, JWTs `jwt-1` and so on. A JWT without `id` and `kid` that is the only one of its issuer takes tokens with any kid. Throws one
 * TypeError that names every mistake.
 */
export function singleServiceCredentials(
  options: { readonly name: string; readonly serviceKey?: unknown; readonly jwt?: unknown },
  where: string,
  clock: Clock,
): { readonly credentials: Credentials; readonly keyHeader: string } {
  const problems = new Problems();
  const index = new IndexBuilder(problems);
  const reports = createReports();
  const owner: Owner = { tenant: defaultTenant, service: options.name, allowIps: [] };
  const { serviceKey, jwt } = options;
  if (serviceKey === undefined && jwt === undefined) {
    throw new OptionError(where, ` needs serviceKey, jwt or both; is an environment variable missing?`);
  }
  const keyHeader = problems.attempt(() => {
    const { header, keys } = readServiceKey(serviceKey, `${where}.serviceKey`);
    for (const { value, place, textPlace } of keys) {
      const parsed = problems.attempt(() => parseKeyOptions(value, place, textPlace));
      if (parsed !== undefined) index.addKey(parsed, "service-key", owner, place);
    }
    return parseKeyHeader(header, `${where}.serviceKey.header`);
  });
  if (Array.isArray(jwt) && jwt.length === 0) {
    problems.add(`${where}.jwt is an empty array; give the options of at least one JWT, or leave it out`);
  }
  addTokens(jwt, owner, `${where}.jwt`, { index, problems, context: { clock, onEvent: reports.tell } });
  const credentials = joinSource(index.build(), reports.observe);
  try {
    problems.throwIfAny();
  } catch (error) {
    credentials.close();
    throw error;
  }
  return { credentials, keyHeader: keyHeader as string };
}

interface PlacedKey {
  readonly value: unknown;
  readonly place: string;
  /** Where the key's text stands, if the options around it are ours. */
  readonly textPlace?: string;
}

function readServiceKey(
  value: unknown,
  where: string,
): { readonly header?: unknown; readonly keys: readonly PlacedKey[] } {
  if (value === undefined) return { keys: [] };
  if (typeof value === "string") return { keys: [namedKey(value, 0, where)] };
  if (Array.isArray(value)) {
    if (value.length === 0) throw new OptionError(where, ` is an empty array; ${makeAKey}`);
    return { keys: value.map((key, at) => namedKey(key, at, `${where}[${at}]`)) };
  }
  if (typeof value !== "object" || value === null) {
    throw new OptionError(
      where,
      ` must be a key, an array of keys, or { header?, keys: [{ id, key }] }, not ${describe(value)}`,
    );
  }
  assertOptions(value, ["header", "keys"], where);
  const keys = own(value, "keys");
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new OptionError(
      `${where}.keys`,
      ` must be an array of at least one { id, key }, not ${describe(keys)}`,
    );
  }
  return {
    header: own(value, "header"),
    keys: keys.map((key: unknown, at) => ({ value: withDefaultId(key, at), place: `${where}.keys[${at}]` })),
  };
}

function namedKey(key: unknown, at: number, place: string): PlacedKey {
  // An object here is a slip between the forms; only the object form takes ids.
  if (typeof key === "object" && key !== null) {
    throw new OptionError(place, ` is an object; keys with options go into { keys: [{ id, key }] }`);
  }
  return { value: { id: `key-${at + 1}`, key }, place, textPlace: place };
}

function withDefaultId(key: unknown, at: number): unknown {
  if (typeof key !== "object" || key === null || Array.isArray(key) || Object.hasOwn(key, "id")) return key;
  return { id: `key-${at + 1}`, ...key };
}
