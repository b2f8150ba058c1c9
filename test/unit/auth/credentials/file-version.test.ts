/**
 * Credentials files of format version 1. In `version-1/`: a file that the command line of commit 51cadec wrote, one with
 * every option that it knew, and, as `*.read.json`, what its `credentialsFromFile` made of them.
 */
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { credentialsFromFile, type FileCredentials } from "../../../../src/auth/credentials/file.js";
import { toCurrentVersion } from "../../../../src/auth/credentials/file-version.js";
import type { CredentialReport } from "../../../../src/types/credential.js";

const fixtures = join(dirname(fileURLToPath(import.meta.url)), "version-1");
const env = {
  ACME_ORDERS_SECRET: "p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfAp9Vq2Lx7Rw4Nz8Typ9Vq2Lx7Rw4Nz8Ty1Kb6",
  ACME_BYTES: Buffer.from("p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA").toString("base64"),
};

let folder: string;
let path: string;
let opened: FileCredentials[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-version-"));
  path = join(folder, "credentials.json");
  opened = [];
});

afterEach(() => {
  for (const credentials of opened) credentials.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): { credentials: FileCredentials; reports: CredentialReport[] } {
  const credentials = credentialsFromFile(path, { env });
  opened.push(credentials);
  const reports: CredentialReport[] = [];
  credentials.observe((report) => reports.push(report));
  return { credentials, reports };
}

function write(document: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(document));
  renameSync(`${path}.new`, path);
}

function messageOf(document: unknown): string {
  write(document);
  try {
    open();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("was taken");
}

/** Everything that decides about a request, in the words of version 1. */
function meaningOf(credentials: FileCredentials): unknown {
  return JSON.parse(
    JSON.stringify(
      credentials.all.map((credential) => {
        const { kind, id, owner, active, notBeforeMs, expiresAtMs } = credential;
        const common = {
          ...{ kind, id, tenant: owner.tenant, service: owner.service, active },
          allowIps: owner.allowIps.map((list) => ({ mode: list.mode, size: Reflect.get(list, "size") })),
          ...{ notBeforeMs: String(notBeforeMs), expiresAtMs: String(expiresAtMs) },
        };
        if (credential.kind !== "jwt") return { ...common, digest: credential.digest.toString("hex") };
        const { clockToleranceSeconds, oneTimeUse, ...policy } = credential.policy;
        const replay = oneTimeUse === true ? "refuse" : "allow";
        return { ...common, policy: { ...policy, toleranceSeconds: clockToleranceSeconds, replay } };
      }),
    ),
  );
}

const service = (jwt: unknown) => ({ tenants: { acme: { services: { orders: { jwt } } } } });
const key = { id: "a", digest: `sha256:${"4e".repeat(32)}` };
const secret = { env: "ACME_ORDERS_SECRET" };

describe("a credentials file of format version 1", () => {
  it.each(["made-by-cli", "every-option"])("is read as version 1 read it: %s", (name) => {
    cpSync(fixtures, folder, { recursive: true });
    path = join(folder, `${name}.json`);
    const { credentials, reports } = open();
    const before: unknown = JSON.parse(readFileSync(join(fixtures, `${name}.read.json`), "utf8"));
    expect(meaningOf(credentials)).toEqual(before);
    expect(reports.map(({ level }) => level)).toEqual(["warn"]);
  });

  it("means the same once it is written as version 2, without a note", () => {
    cpSync(fixtures, folder, { recursive: true });
    const old = JSON.parse(readFileSync(join(fixtures, "every-option.json"), "utf8"));
    write(toCurrentVersion(old).document);
    const { credentials, reports } = open();
    expect(meaningOf(credentials)).toEqual(
      JSON.parse(readFileSync(join(fixtures, "every-option.read.json"), "utf8")),
    );
    expect(reports).toEqual([]);
  });

  it("gives its times as durations, also those of jwksUri", () => {
    const { document, changes } = toCurrentVersion(
      JSON.parse(readFileSync(join(fixtures, "every-option.json"), "utf8")),
    );
    const { acme } = (document as { tenants: Record<string, unknown> }).tenants as {
      acme: { services: { orders: { jwt: object[] }; billing: { jwt: object } } };
    };
    const { orders, billing } = acme.services;
    expect(orders.jwt[0]).toMatchObject({
      maxAge: "5m",
      maxLifetime: "10m",
      clockTolerance: "30s",
      oneTimeUse: true,
    });
    expect(orders.jwt[1]).toMatchObject({
      maxAge: "1500ms",
      maxLifetime: "1d",
      clockTolerance: "0ms",
      oneTimeUse: false,
    });
    expect(orders.jwt[2]).toMatchObject({ maxLifetime: "3650d" });
    expect(orders.jwt[3]).toMatchObject({ clockTolerance: "2250ms", publicKey: { maxAgeSeconds: 1 } });
    expect(orders.jwt[4]).toMatchObject({ maxLifetime: "90s" });
    expect(billing.jwt).toEqual({
      id: "remote",
      issuer: "https://partner.example",
      jwksUri: {
        uri: "https://partner.example/.well-known/jwks.json",
        timeout: "2500ms",
        cooldown: "1m",
        maxAge: "15m",
        staleIfError: "2h",
        dangerouslyAllowPrivateAddress: true,
      },
      maxAge: "3650d",
    });
    expect(Object.keys(document as object)).toEqual(["version", "tenants"]);
    expect(JSON.stringify(document)).not.toMatch(/Seconds":(?!1[},])|Ms"|replay/);
    expect(changes).toHaveLength(16);
  });

  it("is told once, with what to write", () => {
    write(service({ id: "one", issuer: "o", secret, maxAgeSeconds: 300, replay: "refuse" }));
    const { credentials, reports } = open();
    expect(credentials.reload()).toBe(true);
    expect(reports.map(({ message }) => message)).toEqual([
      `credentials file ${path} is in format version 1, which is still read. For version 2, put "version": 2 before ` +
        '"tenants" and write:\n' +
        '  - credentials.tenants.acme.services.orders.jwt: "maxAge": "5m" for "maxAgeSeconds": 300\n' +
        '  - credentials.tenants.acme.services.orders.jwt: "oneTimeUse": true for "replay": "refuse"\n' +
        `or run: npx hookgate key upgrade --file ${path}`,
    ]);
  });

  it("is told in one sentence where only the version is missing", () => {
    write({ tenants: { acme: { profileKeys: [key] } } });
    expect(open().reports.map(({ message }) => message)).toEqual([
      `credentials file ${path} is in format version 1, which is still read. For version 2, put "version": 2 before ` +
        `"tenants". Or run: npx hookgate key upgrade --file ${path}`,
    ]);
  });

  it("names ten members to write, and how many more there are", () => {
    write(
      service(
        Array.from({ length: 12 }, (_, at) => ({ id: `j${at}`, issuer: "o", secret, maxAgeSeconds: 60 })),
      ),
    );
    const [report] = open().reports;
    expect(report?.message.match(/"maxAge": "1m"/g)).toHaveLength(10);
    expect(report?.message).toContain("\n  - and 2 more\n");
  });

  it.each([
    [{ maxAgeSeconds: 0 }, "jwt.maxAgeSeconds must be a number from 1 to 315360000, not 0"],
    [{ maxAgeSeconds: "5m" }, "jwt.maxAgeSeconds must be a number from 1 to 315360000, not a string"],
    [{ maxLifetimeSeconds: 315_360_001 }, "jwt.maxLifetimeSeconds must be a number from 1"],
    [{ toleranceSeconds: 301 }, "jwt.toleranceSeconds must be a number from 0 to 300, not 301"],
    [{ replay: "no" }, 'jwt.replay must be one of "allow", "refuse"'],
  ])("keeps the bounds that version 1 had: %p", (members, message) => {
    expect(messageOf(service({ id: "one", issuer: "o", secret, ...members }))).toContain(message);
  });

  it.each([
    [{ timeoutMs: 99 }, "jwksUri.timeoutMs must be a number from 100 to 60000"],
    [{ cooldownSeconds: 0.5 }, "jwksUri.cooldownSeconds must be a number from 1 to 2592000"],
    [{ maxAgeSeconds: null }, "jwksUri.maxAgeSeconds must be a number from 1 to 2592000, not null"],
    [{ staleIfErrorSeconds: -1 }, "jwksUri.staleIfErrorSeconds must be a number from 0 to 2592000"],
  ])("keeps the bounds of jwksUri: %p", (members, message) => {
    const jwksUri = { uri: "https://issuer.example/jwks", ...members };
    expect(messageOf(service([{ id: "one", issuer: "o", jwksUri }]))).toContain(message);
  });

  it("rounds what is finer than a millisecond down, so that no check is loosened", () => {
    const jwt = { id: "one", issuer: "o", secret, maxAgeSeconds: 1.001, toleranceSeconds: 0.0019 };
    const { document } = toCurrentVersion(service(jwt));
    expect(JSON.stringify(document)).toContain('"maxAge":"1001ms","clockTolerance":"1ms"');
  });

  it.each([
    ["maxAge", "5m", "maxAgeSeconds"],
    ["maxLifetime", "5m", "maxLifetimeSeconds"],
    ["clockTolerance", "5s", "toleranceSeconds"],
    ["oneTimeUse", true, "replay"],
  ])("is refused with a member of version 2, with the near miss: %s", (name, value, old) => {
    expect(messageOf(service({ id: "one", issuer: "o", secret, [name]: value }))).toContain(
      `credentials file ${path}: credentials.tenants.acme.services.orders.jwt.${name} is a member of format version 2, and ` +
        `this file is of version 1: put "version": 2 before "tenants", or write ${old} here`,
    );
  });

  it.each([
    ["timeout", "timeoutMs"],
    ["cooldown", "cooldownSeconds"],
    ["maxAge", "maxAgeSeconds"],
    ["staleIfError", "staleIfErrorSeconds"],
  ])("is refused with a member of version 2 in jwksUri: %s", (name, old) => {
    const jwksUri = { uri: "https://issuer.example/jwks", [name]: "10m" };
    expect(messageOf(service({ id: "one", issuer: "o", jwksUri }))).toContain(`or write ${old} here`);
  });

  it("may be mixed in neither direction: all the mistakes are named at once", () => {
    const message = messageOf(
      service([
        { id: "a", issuer: "o", secret, maxAge: "5m", maxAgeSeconds: 300 },
        { id: "b", issuer: "o", secret, maxLifetimeSeconds: -1 },
      ]),
    );
    expect(message).toContain("2 mistakes:");
    expect(message).toContain("jwt[0].maxAge is a member of format version 2");
    expect(message).toContain("jwt[1].maxLifetimeSeconds must be a number");
  });
});

describe("a credentials file of format version 2", () => {
  it("takes the names and durations of defineCredentials", () => {
    write({
      version: 2,
      ...service({
        id: "one",
        issuer: "o",
        secret,
        maxAge: "5m",
        maxLifetime: "1h",
        clockTolerance: "250ms",
        oneTimeUse: true,
      }),
    });
    const { credentials, reports } = open();
    const [one] = credentials.all;
    expect(one?.kind === "jwt" && one.policy).toMatchObject({
      maxAgeSeconds: 300,
      maxLifetimeSeconds: 3600,
      clockToleranceSeconds: 0.25,
      oneTimeUse: true,
    });
    expect(reports).toEqual([]);
  });

  it.each([
    ["maxAgeSeconds", 300, 'maxAge: "5m"'],
    ["maxLifetimeSeconds", 5400, 'maxLifetime: "90m"'],
    ["toleranceSeconds", 5, 'clockTolerance: "5s"'],
    ["replay", "refuse", "oneTimeUse: true"],
  ])("refuses %s of version 1, and says what to write", (name, value, advice) => {
    expect(messageOf({ version: 2, ...service({ id: "one", issuer: "o", secret, [name]: value }) })).toMatch(
      new RegExp(
        `credentials\\.tenants\\.acme\\.services\\.orders\\.jwt has no option "${name}"; .*write ${advice}$`,
      ),
    );
  });

  it("refuses the options of jwksUri of version 1, and says what to write", () => {
    const jwksUri = { uri: "https://issuer.example/jwks", cooldownSeconds: 30 };
    expect(messageOf({ version: 2, ...service([{ id: "one", issuer: "o", jwksUri }]) })).toMatch(
      /jwt\[0\]\.jwksUri has no option "cooldownSeconds"; .*write cooldown: "30s"$/,
    );
  });

  it.each([
    [1, "must be 2, not 1"],
    [3, "must be 2, not 3"],
    ["2", 'must be 2, not "2"'],
    [null, "must be 2, not null"],
  ])("is the only one with a version: %p", (version, message) => {
    expect(messageOf({ version, tenants: { acme: { profileKeys: [key] } } })).toContain(
      `credentials.version ${message}`,
    );
  });

  it("comes after version 1 by a reload, and the note is not repeated when version 1 comes back", () => {
    const old = service([{ id: "one", issuer: "o", secret, maxAgeSeconds: 300 }]);
    write(old);
    const { credentials, reports } = open();
    const age = () =>
      credentials.all.map((one) => (one.kind === "jwt" ? one.policy.maxAgeSeconds : undefined));
    write({ version: 2, ...service([{ id: "one", issuer: "o", secret, maxAge: "6m" }]) });
    expect(credentials.reload()).toBe(true);
    expect(age()).toEqual([360]);
    write(old);
    expect(credentials.reload()).toBe(true);
    expect(age()).toEqual([300]);
    expect(reports).toHaveLength(1);
  });

  it("leaves version 1 in use while it is not whole", () => {
    write(service([{ id: "one", issuer: "o", secret, maxAgeSeconds: 300 }]));
    const { credentials, reports } = open();
    write({ version: 2, ...service([{ id: "one", issuer: "o", secret, maxAgeSeconds: 360 }]) });
    expect(credentials.reload()).toBe(false);
    expect(credentials.all).toMatchObject([{ id: "one", policy: { maxAgeSeconds: 300 } }]);
    expect(reports.map(({ level }) => level)).toEqual(["warn", "error"]);
  });

  it("keeps a remote key set across the change of version, if it says the same", () => {
    const uri = "https://issuer.example/jwks";
    write(service([{ id: "one", issuer: "o", jwksUri: { uri, cooldownSeconds: 60 } }]));
    const { credentials } = open();
    const keys = () => credentials.all.map((one) => (one.kind === "jwt" ? one.keys : undefined));
    const [before] = keys();
    write({ version: 2, ...service([{ id: "one", issuer: "o", jwksUri: { uri, cooldown: "1m" } }]) });
    expect(credentials.reload()).toBe(true);
    expect(keys()[0]).toBe(before);
    expect(before).toBeDefined();
  });
});
