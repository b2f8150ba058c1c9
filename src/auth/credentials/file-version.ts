import { durationText } from "../../lib/duration.js";
import { isObject } from "../../lib/json.js";
import { choiceOption, describe, numberOption, OptionError } from "../../lib/options.js";
import { Problems } from "./credential-index.js";
import { definitionName, mapEach, mapMember } from "./file-definition.js";

/** The version of the format that `npx hookgate key` writes. */
export const fileVersion = 2;

/** A credentials file in today's format. */
export interface CurrentDocument {
  /** The document as version 2 would have it, with its `version`. */
  readonly document: unknown;
  /** For a file of version 1: what to write in its place, one text for each member. Undefined: it is of version 2. */
  readonly changes: readonly string[] | undefined;
}

/**
 * The parsed text of a credentials file as version 2. Version 1 has no `version`, and gives times as numbers under other
 * names; nothing else differs, and nothing gets another meaning. Throws one TypeError that names every member that is not
 * of the file's version.
 */
export function toCurrentVersion(parsed: unknown): CurrentDocument {
  if (!isObject(parsed)) return { document: parsed, changes: undefined };
  if (Object.hasOwn(parsed, "version")) {
    if (parsed.version === fileVersion) return { document: parsed, changes: undefined };
    throw new OptionError(
      `${definitionName}.version`,
      ` must be ${fileVersion}, not ${shown(parsed.version)}`,
    );
  }
  const problems = new Problems();
  const changes: string[] = [];
  const upgradeJwt = (jwt: unknown, where: string): unknown => {
    const renamed = renameMembers(jwt, where, { options: jwtOptions, problems, changes });
    return mapMember(renamed, "jwksUri", where, (remote, at) =>
      renameMembers(remote, at, { options: jwksUriOptions, problems, changes }),
    );
  };
  const upgraded = mapMember(parsed, "tenants", definitionName, (tenants, tenantsAt) =>
    mapEach(tenants, tenantsAt, (tenant, tenantAt) =>
      mapMember(tenant, "services", tenantAt, (services, servicesAt) =>
        mapEach(services, servicesAt, (service, serviceAt) =>
          mapMember(service, "jwt", serviceAt, (jwt, at) =>
            Array.isArray(jwt) ? mapEach(jwt, at, upgradeJwt) : upgradeJwt(jwt, at),
          ),
        ),
      ),
    ),
  );
  problems.throwIfAny();
  return { document: { version: fileVersion, ...(upgraded as object) }, changes };
}

const mostChangesNamed = 10;

/** What an operator is told of a file of version 1. */
export function versionNote(path: string, changes: readonly string[]): string {
  const still = `credentials file ${path} is in format version 1, which is still read. For version 2, put "version": 2 before "tenants"`;
  const command = `npx hookgate key upgrade --file ${path}`;
  if (changes.length === 0) return `${still}. Or run: ${command}`;
  const named = changes.slice(0, mostChangesNamed).map((change) => `\n  - ${change}`);
  const more = changes.length > mostChangesNamed ? `\n  - and ${changes.length - mostChangesNamed} more` : "";
  return `${still} and write:${named.join("")}${more}\nor run: ${command}`;
}

interface RenamedOption {
  readonly name: string;
  /** What the member of version 2 holds. Throws an OptionError for what version 1 refused. */
  readonly convert: (value: unknown, where: string) => unknown;
}

/** A number of version 1, within the bounds that it had, as a duration. */
function duration(name: string, unitMs: number, [min, max]: readonly [number, number]): RenamedOption {
  return {
    name,
    convert: (value, where) =>
      durationText(wholeMs(numberOption(value, where, { min, max, fallback: min }) * unitMs)),
  };
}

const decade = 315_360_000;
const month = 2_592_000;

const jwtOptions: ReadonlyMap<string, RenamedOption> = new Map([
  ["maxAgeSeconds", duration("maxAge", 1_000, [1, decade])],
  ["maxLifetimeSeconds", duration("maxLifetime", 1_000, [1, decade])],
  ["toleranceSeconds", duration("clockTolerance", 1_000, [0, 300])],
  [
    "replay",
    {
      name: "oneTimeUse",
      convert: (value, where) => choiceOption(value, where, ["allow", "refuse"], "allow") === "refuse",
    },
  ],
]);

const jwksUriOptions: ReadonlyMap<string, RenamedOption> = new Map([
  ["timeoutMs", duration("timeout", 1, [100, 60_000])],
  ["cooldownSeconds", duration("cooldown", 1_000, [1, month])],
  ["maxAgeSeconds", duration("maxAge", 1_000, [1, month])],
  ["staleIfErrorSeconds", duration("staleIfError", 1_000, [0, month])],
]);

interface Renaming {
  readonly options: ReadonlyMap<string, RenamedOption>;
  readonly problems: Problems;
  readonly changes: string[];
}

function renameMembers(value: unknown, where: string, { options, problems, changes }: Renaming): unknown {
  if (!isObject(value)) return value;
  for (const [old, { name }] of options) {
    if (!Object.hasOwn(value, name)) continue;
    problems.add(
      `${where}.${name} is a member of format version 2, and this file is of version 1: put "version": 2 before ` +
        `"tenants", or write ${old} here`,
      `${where}.${name}`,
    );
  }
  // fromEntries defines members, so that "__proto__" stays a name.
  return Object.fromEntries(
    Object.entries(value).map(([key, given]): [string, unknown] => {
      const option = options.get(key);
      if (option === undefined) return [key, given];
      const converted = problems.attempt(() => option.convert(given, `${where}.${key}`));
      changes.push(
        `${where}: "${option.name}": ${JSON.stringify(converted)} for "${key}": ${JSON.stringify(given)}`,
      );
      return [option.name, converted];
    }),
  );
}

/** Rounded down to milliseconds, so that no bound and no check is loosened. */
function wholeMs(exactMs: number): number {
  // 1.001 * 1000 is less than 1001.
  return Math.floor(Number(exactMs.toFixed(3)));
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 20)) : describe(value);
}
