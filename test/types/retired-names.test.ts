/**
 * Every name that version 0.1 had (commit 51cadec) is still there, or users are told what to write instead. The names are in
 * names-0.1.json; `NAMES_OF=<checkout of 51cadec with node_modules> npm test -- test/types/retired-names` writes them anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import {
  createReceiver,
  credentialsFromFile,
  credentialsFromLookup,
  type InboxReceiver,
  type Receiver,
} from "hookgate";
import { atlassianConnect } from "hookgate/atlassian-connect";
import { cloudEvents } from "hookgate/cloudevents";
import { customSource } from "hookgate/custom";
import { googlePubSub } from "hookgate/google-pubsub";
import { httpMessageSignatures } from "hookgate/http-signature";
import { plaid } from "hookgate/plaid";
import { slack } from "hookgate/slack";
import { sqliteEngine } from "hookgate/sqlite";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { stripe } from "hookgate/stripe";
import { memoryEngine } from "hookgate/testing";
import { vonage } from "hookgate/vonage";
import { webexConnect, webexConnectEvents, webexConnectServiceJwt } from "hookgate/webex-connect";
import { OptionError } from "../../src/lib/options.js";
import { retiredOptions } from "../../src/lib/retired-names.js";
import { readPages } from "../docs/pages.js";
import { publicNamesOf } from "./public-names.js";
import { readPublicProgram } from "./public-program.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fixture = join(root, "test/types/names-0.1.json");

/** Names joined by spaces, by subpath and by type. */
interface OldNames {
  readonly exports: Readonly<Record<string, string>>;
  readonly members: Readonly<Record<string, string>>;
}

function writeNamesOf(checkout: string): void {
  const { exports, members } = publicNamesOf(readPublicProgram(`${checkout}/`));
  const byType: Record<string, string> = {};
  for (const path of members) {
    const dot = path.lastIndexOf(".");
    const [type, name] = [path.slice(0, dot), path.slice(dot + 1)];
    if (type !== "MaybePromise") byType[type] = type in byType ? `${byType[type]} ${name}` : name;
  }
  const bySubpath = Object.fromEntries(
    Object.entries(exports).map(([subpath, names]) => [subpath, names.join(" ")]),
  );
  const names = { commit: "51cadec", exports: bySubpath, members: byType };
  writeFileSync(fixture, `${JSON.stringify(names, null, 2)}\n`);
}

if (process.env.NAMES_OF !== undefined) writeNamesOf(process.env.NAMES_OF);
const old = JSON.parse(readFileSync(fixture, "utf8")) as OldNames;
const today = publicNamesOf(readPublicProgram(), { internal: true });
const members = new Set(today.members);

/** Types that had no name, or another one: `ReceiverOptions.allowIps` in `ReceiverOptions.allowIps.mode`. */
const named: readonly (readonly [RegExp, string])[] = [
  [/\.allowIps$|^createAllowlist\(\)$|^requireAllowedIp\(\)$/, "AllowIpsOptions"],
  [/\.serviceKey$/, "ServiceKeyOptions"],
  [/\.retry$/, "RetryDelays"],
  [/^Inbox\.purge\(\)$/, "InboxPurgeOptions"],
  [/^HandlerOptions$/, "TaskOptions"],
  [/^Receiver$/, "InboxReceiver"],
  [/^(WithAuth|WithSource|CommonOptions)$/, "ReceiverOptions"],
  [/\.event$/, "ReportedEvent"],
  [/^defineCredentials\(\)$/, "DefineCredentialsOptions"],
];

/** Whether a member of version 0.1 is there today. */
function isThere(type: string, name: string): boolean {
  if (members.has(`${type}.${name}`)) return true;
  const [, now] = named.find(([pattern]) => pattern.test(type)) ?? [];
  return now !== undefined && members.has(`${now}.${name}`);
}

const gone = Object.entries(old.members).flatMap(([type, names]) =>
  names.split(" ").flatMap((name) => (isThere(type, name) ? [] : [{ type, name }])),
);

const key = "retired-names-0123456789abcdef0123456789abcdef";
const secret = "retired-names-secret-0123456789abcdef0123456789abcdef";
type Options = Record<string, unknown>;

const receiver = (options: Options): Receiver =>
  createReceiver({ name: "orders", auth: { serviceKey: key }, ...options } as never) as never;
const inbox = (options: Options): InboxReceiver =>
  receiver({ inbox: { engine: memoryEngine(), ...options } }) as never;
const jwt = (options: Options): unknown =>
  receiver({
    auth: { jwt: { issuer: "orders", secret, requiredClaims: ["iat"], ...options } },
    inbox: { engine: memoryEngine() },
  });
const byLookup = (options: Options): unknown =>
  credentialsFromLookup({ key: () => undefined }, options as never);
const file = join(root, "test/unit/auth/credentials/version-1/made-by-cli.json");

/** What takes the options of a type. */
const makers: Readonly<Record<string, (options: never) => unknown>> = {
  AtlassianConnectOptions: (o: Options) =>
    atlassianConnect({ client: () => undefined, baseUrl: "https://app.example.com", ...o }),
  BodyOptions: (o: Options) => receiver({ body: o }),
  CloudEventsOptions: (o: Options) => cloudEvents(o),
  CommonOptions: receiver,
  CredentialLookupOptions: byLookup,
  CredentialsFileOptions: (o: Options) =>
    credentialsFromFile(file, {
      env: { ACME_ORDERS_SECRET: `${secret}Q7w9Zr2LmX4c` },
      ...o,
    } as never).close?.(),
  CustomSignatureOptions: (o: Options) =>
    customSource({
      name: "a",
      signature: {
        ...{ header: "x-sig", secret, timestamp: "x-time", signed: "{timestamp}.{body}" },
        ...o,
      },
    }),
  CustomSourceOptions: (o: Options) => customSource({ name: "a", ...o }),
  FoundToken: jwt,
  GooglePubSubOptions: (o: Options) =>
    googlePubSub({ audience: "https://a.example", serviceAccount: "a@b.iam.gserviceaccount.com", ...o }),
  HandlerOptions: (o: Options) => inbox({}).on("a", () => {}, o as never),
  "HandlerOptions.retry": (o: Options) => inbox({}).on("a", () => {}, { retry: o } as never),
  HttpMessageSignaturesOptions: (o: Options) =>
    httpMessageSignatures({
      keys: [{ id: "a", algorithm: "hmac-sha256", secret }],
      publicUrl: "https://a.example",
      ...o,
    }),
  "Inbox.purge()": (o: Options) => inbox({}).inbox.purge({ state: "done", ...o }),
  InboxFilter: (o: Options) => inbox({}).inbox.list(o),
  InboxOptions: inbox,
  "InboxOptions.retry": (o: Options) => inbox({ retry: o }),
  JwksUriOptions: (o: Options) =>
    receiver({ auth: { jwt: { issuer: "a", jwksUri: { uri: "https://a.example/jwks", ...o } } } }),
  JwtOptions: jwt,
  PlaidOptions: (o: Options) => plaid({ key: () => undefined, ...o }),
  "Receiver.close()": (o: Options) => receiver({}).close(o),
  ReceiverOptions: receiver,
  RetentionOptions: (o: Options) => inbox({ retention: o }),
  RetryOptions: (o: Options) => inbox({ retry: o }),
  SlackOptions: (o: Options) => slack({ secret, ...o }),
  SqliteEngineOptions: (o: Options) => sqliteEngine(":memory:", o),
  StandardWebhooksOptions: (o: Options) => standardWebhooks({ secret: btoa(secret.slice(0, 32)), ...o }),
  StripeOptions: (o: Options) => stripe({ secret, ...o }),
  VonageOptions: (o: Options) => vonage({ secret, ...o }),
  WebexConnectCommonOptions: (o: Options) => webexConnect(o),
  WebexConnectEventsOptions: (o: Options) => webexConnectEvents(o),
  WebexConnectOptions: (o: Options) => webexConnect(o),
  WebexConnectServiceJwtOptions: (o: Options) =>
    webexConnectServiceJwt({ serviceId: "a", secret: btoa(secret), ...o } as never),
};

/** Values that the options took, and what is to be written for them; by the old name. */
const examples: Readonly<Record<string, readonly (readonly [unknown, string])[]>> = {
  acceptTimeoutMs: [[2_500, 'acceptTimeout: "2500ms"']],
  ackDeadlineSeconds: [[60, 'ackDeadline: "1m"']],
  baseMs: [[2_000, 'minDelay: "2s"']],
  beforeMs: [[1_767_225_600_000, "before: new Date(1767225600000)"]],
  busyTimeoutMs: [[0, 'busyTimeout: "0ms"']],
  cooldownSeconds: [[30, 'cooldown: "30s"']],
  deadHead: [
    ["skip", 'onDeadLetter: "continue"'],
    ["hold", 'onDeadLetter: "block"'],
  ],
  deadlineMs: [[5_000, ': "5s"']],
  deadMs: [[2_592_000_000, 'dead: "30d"']],
  deduplicationMs: [[604_800_000, 'deduplicateFor: "7d"']],
  doneMs: [[5_400_000, 'done: "90m"']],
  fromMs: [[1_767_225_600_000, "from: new Date(1767225600000)"]],
  graceMs: [[0, 'grace: "0ms"']],
  handlerTimeoutMs: [[10_000, 'handlerTimeout: "10s"']],
  invalid: [
    ["park", 'onInvalid: "dead-letter"'],
    ["refuse", 'onInvalid: "refuse"'],
  ],
  leaseMs: [[10_000, 'lease: "10s"']],
  maxAgeSeconds: [[300, 'maxAge: "5m"']],
  maxInProgress: [[64, "maxConcurrent: 64"]],
  maxLifetimeSeconds: [[86_400, 'maxLifetime: "1d"']],
  maxMs: [[21_600_000, 'maxDelay: "6h"']],
  olderThanMs: [[86_400_000, 'olderThan: "1d"']],
  pollMs: [[500, 'pollInterval: "500ms"']],
  preRead: [["rawBody", 'rawBodyFrom: "rawBody"']],
  replay: [
    ["refuse", "oneTimeUse: true"],
    ["allow", "oneTimeUse: false"],
  ],
  sameEvent: [["id", 'deduplicateBy: "id"']],
  staleIfErrorSeconds: [[3_600, 'staleIfError: "1h"']],
  timeoutMs: [[30_000, 'timeout: "30s"']],
  toleranceSeconds: [[5, ': "5s"']],
};

/** What a call throws, or rejects with, where that is an error about an option. */
async function optionErrorOf(call: () => unknown): Promise<OptionError | undefined> {
  try {
    await call();
  } catch (error) {
    return error instanceof OptionError ? error : undefined;
  }
  return undefined;
}

/** `{ lease: "10s" }` of `lease: "10s"`. */
function readAdvice(text: string): Options {
  const [, name = "", value = ""] = /^(\w+): (.+)$/.exec(text) ?? [];
  const date = /^new Date\((\d+)\)$/.exec(value)?.[1];
  return { [name]: date === undefined ? JSON.parse(value) : new Date(Number(date)) };
}

const options = gone.filter(({ type, name }) => makers[type] !== undefined && name !== "orderBy");

describe("an option of version 0.1 that has another name now", () => {
  it.each(options.map(({ type, name }) => [`${type}.${name}`, type, name]))(
    "%s: the error says what to write, and that is taken",
    async (_, type, name) => {
      const make = makers[type] as (given: Options) => unknown;
      expect(examples[name]).toBeDefined();
      for (const [value, advice] of examples[name] ?? []) {
        const { message = "" } = (await optionErrorOf(() => make({ [name]: value }))) ?? {};
        const written = / now: write (.+)$/.exec(message)?.[1] ?? "";
        expect({ message, written }).toEqual({ message, written: expect.stringContaining(advice) });
        expect(await optionErrorOf(() => make(readAdvice(written)))).toBeUndefined();
      }
    },
  );

  it("orderBy: the error names orderingKey", async () => {
    const on = makers.HandlerOptions as (given: Options) => unknown;
    const { message } = (await optionErrorOf(() => on({ orderBy: () => "a" }))) ?? {};
    expect(message).toBe('on("a") options has no option "orderBy"; it is `orderingKey` now');
    expect(await optionErrorOf(() => on({ orderingKey: () => "a" }))).toBeUndefined();
  });

  it("is told of where it stands in the wrong place", async () => {
    const { message } = (await optionErrorOf(() => receiver({ leaseMs: 10_000 }))) ?? {};
    expect(message).toBe(
      'createReceiver has no option "leaseMs"; `lease` belongs in `inbox`: write `inbox: { lease: … }`',
    );
  });

  it("gives no value where there is none to give", async () => {
    for (const value of ["10s", -1, Number.NaN, undefined, 0.5]) {
      const { message } = (await optionErrorOf(() => inbox({ leaseMs: value }))) ?? {};
      expect(message).toBe(
        'createReceiver.inbox has no option "leaseMs"; it is `lease` now, a duration such as "10s"',
      );
    }
  });

  it("is refused on a source of somebody's own", async () => {
    const source = { ...customSource({ name: "a" }) } as Options;
    for (const [name, value, advice] of [
      ["deadlineMs", 5_000, 'deadline: "5s"'],
      ["sameEvent", "id", 'deduplicateBy: "id"'],
    ] as const) {
      const { message } =
        (await optionErrorOf(() => receiver({ source: { ...source, [name]: value } }))) ?? {};
      expect(message).toContain(`it is \`${advice.split(":")[0]}\` now: write ${advice}`);
    }
  });

  it("counts with its number where `retention` took one", async () => {
    const { message } = (await optionErrorOf(() => inbox({ retention: { done: 500 } }))) ?? {};
    expect(message).toContain("write maxDone: 500");
  });

  it("has no row in the table that version 0.1 did not have", () => {
    expect([...retiredOptions.keys()].sort()).toEqual([...Object.keys(examples), "orderBy"].sort());
    expect(Object.keys(examples).filter((name) => !options.some((each) => each.name === name))).toEqual([]);
  });
});

interface Row {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** The tables of docs/migrating.md under a heading: what stands in backticks in the first two columns. */
function rowsOf(heading: string): readonly Row[] {
  const page = readFileSync(join(root, "docs/migrating.md"), "utf8");
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const codes = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => {
      const [, before, after] = line.split(" | ").join("|").split("|");
      return { before: codes(before), after: codes(after) };
    });
}

/** Gone without a word: what was exported by mistake, or came back from our own code. */
const internal =
  /^(EventOf|CredentialSource|SourceReport|TokenPolicy|WebexConnectServiceJwt|RetryLater|MemoryTransaction)\b/;

describe("docs/migrating.md", () => {
  it("has every option that was renamed", () => {
    const listed = rowsOf("Options").map(({ before: [first = ""] }) => first.split(":")[0]);
    expect([...new Set(listed)].sort()).toEqual([...retiredOptions.keys()].sort());
    for (const { before, after } of rowsOf("Options")) {
      const [, name = "", value = ""] = /^(\w+): (.+)$/.exec(before[0] ?? "") ?? [];
      if (value === "") continue;
      const given: unknown = JSON.parse(value.replaceAll("_", ""));
      const hint = retiredOptions.get(name)?.map(({ to }) => to);
      expect(hint).toContain(after[0]?.split(":")[0]);
      expect(given).toBeDefined();
    }
  });

  it("is the only page for users that has the old names of options", () => {
    // What an engine is handed has the names that options had; a file of version 1 keeps its own.
    const others =
      /^(CHANGELOG|docs\/migrating|docs\/guides\/write-an-engine|docs\/reference\/credentials-file|docs\/design\/)/;
    const names = [...retiredOptions.keys()].filter((name) => name !== "replay").join("|");
    const written = new RegExp(`(?<![\\w.])(?:${names})(?=\\??: ["\\d{]|\`)`, "g");
    const found = readPages()
      .filter(({ path }) => !others.test(path))
      .flatMap(({ path, text }) => [...text.matchAll(written)].map(([name]) => `${path}: ${name}`));
    expect(found).toEqual([]);
    expect("in `leaseMs`, or leaseMs: 5".match(written)).toHaveLength(2);
  });

  it("has every other member that was renamed, with the name that is there now", () => {
    const rows = [...rowsOf("For authors of engines and sources"), ...rowsOf("Methods and errors")];
    const told = new Map(
      rows.flatMap(({ before, after }) => before.map((name) => [name.replace("()", ""), after[0]])),
    );
    for (const { type, name } of gone) {
      if (makers[type] !== undefined || internal.test(type)) continue;
      const now = told.get(`${type}.${name}`)?.replace("()", "");
      expect({ type, name, now }).toEqual({ type, name, now: expect.any(String) });
      expect(members).toContain(now);
    }
  });

  it("has every import that was moved or is gone, with what is there now", () => {
    const subpaths = new Map(Object.entries(today.exports));
    const all = new Set([...subpaths.values()].flat());
    const told = new Map(
      rowsOf("Imports").flatMap(({ before, after }) => before.map((name) => [name, after[0] ?? ""])),
    );
    for (const [subpath, names] of Object.entries(old.exports)) {
      for (const name of names.split(" ")) {
        if (subpaths.get(subpath)?.includes(name)) continue;
        const now = told.get(name);
        expect({ name, now }).toEqual({ name, now: expect.any(String) });
        if (now?.startsWith("hookgate/")) expect(subpaths.get(`.${now.slice(8)}`)).toContain(name);
        else expect(all).toContain(/^\w+/.exec(now ?? "")?.[0]);
      }
    }
  });
});
