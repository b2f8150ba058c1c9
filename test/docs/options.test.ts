/** docs/reference/options.md against the code: the same options, the same defaults. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { sqliteEngine } from "../../src/inbox/sqlite/index.js";
import {
  createReceiver,
  credentialsFromFile,
  credentialsFromLookup,
  defineCredentials,
  requireAllowedIp,
  requireAuth,
} from "../../src/index.js";
import { type Defaults, readDefaults } from "./defaults.js";
import { root } from "./pages.js";

interface Row {
  readonly option: string;
  readonly default: string;
}

/** The tables of the page by the heading above them, without its backticks and arguments. */
function readTables(): ReadonlyMap<string, readonly Row[]> {
  const tables = new Map<string, Row[]>();
  let heading = "";
  for (const line of readFileSync(join(root, "docs/reference/options.md"), "utf8").split("\n")) {
    if (line.startsWith("#")) heading = line.replaceAll(/^#+ |`|\(.*?\)/g, "");
    const [, option, , byDefault] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const name = /^`([^`]+)`$/.exec(option ?? "")?.[1];
    if (name === undefined || byDefault === undefined || byDefault === "") continue;
    const rows = tables.get(heading) ?? [];
    tables.set(heading, [...rows, { option: name, default: byDefault }]);
  }
  return tables;
}

const tables = readTables();

function rowsOf(heading: string): readonly Row[] {
  const rows = tables.get(heading);
  if (rows === undefined) throw new Error(`options.md has no table under "${heading}"`);
  return rows;
}

/** Options of a table: those at `prefix`, by their last name. */
function namesIn(heading: string, prefix = ""): string[] {
  return rowsOf(heading)
    .map(({ option }) => option)
    .filter((option) => option.startsWith(prefix))
    .map((option) => option.slice(prefix.length))
    .filter((option) => !option.includes("."));
}

/** The options that the code knows: it names them when it is given one that nothing is near to. */
function knownTo(make: (wrong: Record<string, unknown>) => unknown): string[] {
  try {
    make({ "@@@@@@@@@@@@@@@@@@@@@@@@@@@@": 1 });
  } catch (error) {
    const list = /known options: ([\w, ]+)/.exec((error as Error).message)?.[1];
    if (list !== undefined) return list.split(", ");
    throw error;
  }
  throw new Error("an unknown option was taken");
}

/** For options that are wrong on purpose. */
const receiver = (options: object) =>
  createReceiver({ name: "docs", auth: { dangerouslyAcceptAnyone: true }, ...options } as never);
const jwt = (options: unknown) => receiver({ auth: { jwt: options } });
const inbox = (options: object) => receiver({ inbox: { engine: sqliteEngine("docs.db"), ...options } });
const tenants = (definition: unknown) => defineCredentials({ tenants: definition } as never);
const authNames = [...namesIn("One service"), ...namesIn("credentials"), ...namesIn("Anyone")];
const tenant = "tenants.*.";
const service = "tenants.*.services.*.";

describe("docs/reference/options.md lists the options that the code knows", () => {
  const sections: [string, string[], (wrong: Record<string, unknown>) => unknown][] = [
    ["createReceiver", namesIn("createReceiver"), receiver],
    ["auth", authNames, (wrong) => receiver({ auth: wrong })],
    ["serviceKey", namesIn("One service", "serviceKey."), (w) => receiver({ auth: { serviceKey: w } })],
    ["a key", namesIn("Keys"), (wrong) => receiver({ auth: { serviceKey: { keys: [wrong] } } })],
    ["jwt", namesIn("JWT"), jwt],
    ["jwksUri", namesIn("jwksUri"), (wrong) => jwt({ issuer: "docs", jwksUri: wrong })],
    ["allowIps", namesIn("allowIps"), (wrong) => receiver({ allowIps: wrong })],
    ["clientAddress", namesIn("clientAddress"), (wrong) => receiver({ clientAddress: wrong })],
    ["body", namesIn("body"), (wrong) => receiver({ body: wrong })],
    ["inbox", namesIn("inbox"), (wrong) => receiver({ inbox: wrong })],
    ["inbox.retry", namesIn("retry"), (wrong) => inbox({ retry: wrong })],
    ["inbox.retention", namesIn("retention"), (wrong) => inbox({ retention: wrong })],
    ["on", namesIn("on and onAny"), (wrong) => receiver({}).on("a", () => {}, wrong)],
    ["requireAllowedIp", namesIn("requireAllowedIp"), (wrong) => requireAllowedIp([], wrong as never)],
    ["requireAuth", [...authNames, ...namesIn("requireAuth")], (wrong) => requireAuth(wrong as never)],
    ["defineCredentials", namesIn("defineCredentials"), (wrong) => defineCredentials(wrong as never)],
    ["a tenant", namesIn("defineCredentials", tenant), (wrong) => tenants({ a: wrong })],
    ["a service", namesIn("defineCredentials", service), (w) => tenants({ a: { services: { b: w } } })],
    ["credentialsFromFile", namesIn("credentialsFromFile"), (w) => credentialsFromFile("x.json", w as never)],
    [
      "credentialsFromLookup",
      namesIn("credentialsFromLookup"),
      (w) => credentialsFromLookup({ key: () => undefined }, w as never),
    ],
  ];
  it.each(sections)("%s", (_, listed, make) => {
    expect([...listed].sort()).toEqual([...knownTo(make)].sort());
  });
});

/** The files that make what stands under a heading. */
const makers: ReadonlyMap<string, readonly string[]> = new Map([
  ["createReceiver", ["receiver/options.ts", "events/extract.ts"]],
  ["One service", ["auth/service-key.ts"]],
  ["credentials", ["auth/options.ts", "auth/service-key.ts"]],
  ["Anyone", []],
  ["Keys", ["auth/service-key.ts", "keys/lifetime.ts"]],
  ["JWT", ["auth/jwt/options.ts", "keys/lifetime.ts", "auth/jwt/parse.ts"]],
  ["jwksUri", ["auth/jwt/jwks.ts"]],
  ["allowIps", ["ip/allowlist.ts"]],
  ["clientAddress", ["ip/client-address.ts"]],
  ["body", ["body/read.ts"]],
  ["inbox", ["inbox/options.ts"]],
  ["retry", ["events/retry-policy.ts"]],
  ["retention", ["inbox/retention.ts"]],
  ["on and onAny", ["events/handlers.ts"]],
  ["requireAllowedIp", ["receiver/guards.ts"]],
  ["requireAuth", ["receiver/guards.ts"]],
  ["defineCredentials", ["auth/credentials/define.ts"]],
  ["credentialsFromFile", ["auth/credentials/file.ts"]],
  ["credentialsFromLookup", ["auth/credentials/lookup.ts"]],
]);

function defaultsBehind(heading: string): Defaults {
  const files = makers.get(heading);
  if (files === undefined) throw new Error(`the test does not know which files make "${heading}"`);
  return readDefaults(files.map((file) => readFileSync(join(root, "src", file), "utf8")));
}

/** `10_000` and `10000` are the same. */
function normal(literal: string): string {
  return /^[\d_]+$/.test(literal) ? literal.replaceAll("_", "") : literal.replaceAll(" ", "");
}

describe("docs/reference/options.md gives the defaults of the code", () => {
  it("names for every table the files that it is about", () => {
    expect([...tables.keys()].sort()).toEqual([...makers.keys()].sort());
  });

  const rows = [...tables].flatMap(([heading, list]) =>
    list.map((row): [string, string, string] => [heading, row.option, row.default]),
  );
  const literals = rows.filter(
    ([, , given]) => /^`[^`]+`$/.test(given) && given !== "`{}`" && given !== "`[]`",
  );

  it("has numbers, switches and words to compare", () => {
    expect(literals.length).toBeGreaterThan(20);
  });

  it.each(literals)("%s %s: %s", (heading, option, given) => {
    const { named, literals: held } = defaultsBehind(heading);
    const value = normal(given.slice(1, -1));
    const inCode = named.get(option.split(".").at(-1) ?? option);
    if (inCode === undefined) expect(held.map(normal)).toContain(value);
    else expect(inCode.map(normal)).toContain(value);
  });

  it("leaves out no number and no duration that the code falls back to", () => {
    const missing = [...makers.keys()].flatMap((heading) =>
      [...defaultsBehind(heading).named]
        .filter(([, values]) => values.some((value) => /^[\d_]+$|^"[\d.]+(?:ms|s|m|h|d)"$/.test(value)))
        .map(([option]) => `${heading}: ${option}`)
        .filter((name) => !literals.some(([at, option]) => name === `${at}: ${option}`)),
    );
    expect(missing).toEqual([]);
  });
});

describe("what the code falls back to", () => {
  it.each([
    ['numberOption(own(o, "ms"), where, { min: 1, max: 9, fallback: 5 });', "ms", "5"],
    ['const bounds = { fallback: 2_000 };\nnumberOption(own(o, "ms"), where, bounds);', "ms", "2_000"],
    ['durationOption(own(o, "lease"), where, { min: "1s", fallback: "10s" });', "lease", '"10s"'],
    [
      'const bounds = { fallback: "1d" } as const;\ndurationOption(own(o, "age"), where, bounds);',
      "age",
      '"1d"',
    ],
    [
      'const d = (name, bounds) => durationOption(own(o, name), "", bounds);\nd("s", { fallback: "30s" });',
      "s",
      '"30s"',
    ],
    ['const s = (name, fallback) => numberOption(own(o, name), "", { fallback });\ns("ms", 30);', "ms", "30"],
    ['choiceOption(own(o, "mode"), where, ["a", "b"], "b");', "mode", '"b"'],
    ["flagOption(o.anyone, where);", "anyone", "false"],
  ])("is read from %s", (source, option, value) => {
    expect([...readDefaults([source]).named]).toEqual([[option, [value]]]);
  });
});
