import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import {
  type CredentialsFileOptions,
  credentialsFromFile,
  type FileCredentials,
} from "../../../../src/auth/credentials/file.js";
import { systemClock } from "../../../../src/lib/clock.js";
import { createFakeClock } from "../../../../src/testing/fake-clock.js";
import type { CredentialReport } from "../../../../src/types/credential.js";

const secret = "p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA";

function hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A file with one service key, named for its text. */
function withKey(text: string, more: object = {}): object {
  const key = { id: text, digest: `sha256:${hex(text)}` };
  return { version: 2, tenants: { acme: { services: { orders: { serviceKeys: [key], ...more } } } } };
}

let folder: string;
let path: string;
let opened: FileCredentials[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-file-"));
  path = join(folder, "credentials.json");
  opened = [];
});

afterEach(() => {
  for (const credentials of opened) credentials.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(document: unknown): void {
  writeFileSync(path, typeof document === "string" ? document : JSON.stringify(document));
}

/** Replaces the file as the command line does. */
function replace(document: unknown): void {
  const beside = join(folder, "beside.tmp");
  writeFileSync(beside, typeof document === "string" ? document : JSON.stringify(document));
  renameSync(beside, path);
}

function open(options?: CredentialsFileOptions): {
  credentials: FileCredentials;
  reports: CredentialReport[];
} {
  const credentials = credentialsFromFile(path, options);
  opened.push(credentials);
  const reports: CredentialReport[] = [];
  credentials.observe((report) => reports.push(report));
  return { credentials, reports };
}

function has(credentials: FileCredentials, text: string): boolean {
  return credentials.findKey(hex(text), "service-key") !== undefined;
}

/** Resolves when the condition holds; gives up before jest does, so that no loop outlives its test. */
async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 4000;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error("the condition never held");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function messageOf(document: unknown, options?: CredentialsFileOptions): string {
  write(document);
  try {
    open(options);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("was taken");
}

describe("credentialsFromFile", () => {
  it("is read when it is constructed, from a path or a file URL", () => {
    write(withKey("a"));
    expect(has(open().credentials, "a")).toBe(true);
    const byUrl = credentialsFromFile(pathToFileURL(path));
    opened.push(byUrl);
    expect(byUrl.all.map(({ id }) => id)).toEqual(["a"]);
  });

  it("says how to make a file that is not there", () => {
    expect(() => credentialsFromFile(path)).toThrow(
      `credentials file ${path} does not exist; make it with: npx hookgate key new --file ${path}`,
    );
    expect(() => credentialsFromFile(folder)).toThrow(/cannot be read \(EISDIR\)/);
    expect(() => credentialsFromFile("")).toThrow(TypeError);
    write(withKey("a"));
    expect(() => credentialsFromFile(path, { pollInterval: "49ms" })).toThrow(
      /pollInterval must be a duration such as "10s", from "50ms" to "1h"/,
    );
    expect(() => credentialsFromFile(path, { pollIntervals: 1 } as object)).toThrow(
      /did you mean "pollInterval"/,
    );
    expect(() => credentialsFromFile(path, { env: "HOME" } as object)).toThrow(/env must be an object/);
  });

  it.each([
    ["an empty file", "", /it is not usable JSON/],
    ["half a file", '{"tenants":{', /it is not usable JSON/],
    ["a member given twice", '{"tenants":{},"tenants":{}}', /it is not usable JSON/],
    [
      "a plain key",
      { tenants: { a: { profileKeys: [{ id: "p", key: "x".repeat(40) }] } } },
      /profileKeys\[0\]\.key: a key must not be written in a file; put its SHA-256/,
    ],
    [
      "a plain service key",
      { tenants: { a: { services: { s: { serviceKeys: [{ id: "p", key: "" }] } } } } },
      /serviceKeys\[0\]\.key: a key must not/,
    ],
    [
      "a plain secret",
      withKey("a", { jwt: { id: "j", issuer: "i", secret } }),
      /jwt\.secret: a secret must not be written in a file; refer to it/,
    ],
    [
      "a plain secret in base64",
      withKey("a", { jwt: [{ id: "j", issuer: "i", secret: { base64: "AAAA" } }] }),
      /jwt\[0\]\.secret: a secret must not/,
    ],
    [
      "a reference to two places",
      withKey("a", { jwt: { id: "j", issuer: "i", secret: { env: "A", file: "b" } } }),
      /a secret must not/,
    ],
    [
      "a variable that is not set",
      withKey("a", { jwt: { id: "j", issuer: "i", secret: { env: "NOPE" } } }),
      /jwt\.secret: the environment variable NOPE is not set/,
    ],
    [
      "a variable that is empty",
      withKey("a", { jwt: { id: "j", issuer: "i", secret: { env: "EMPTY" } } }),
      /variable EMPTY is empty/,
    ],
    [
      "a name on the prototype",
      withKey("a", { jwt: { id: "j", issuer: "i", secret: { env: "toString" } } }),
      /variable toString is not set/,
    ],
    [
      "a secret file that is not there",
      withKey("a", { jwt: { id: "j", issuer: "i", secret: { file: "no.txt" } } }),
      /jwt\.secret: cannot read .*no\.txt \(ENOENT\)/,
    ],
    [
      "a misspelled reference member",
      withKey("a", { jwt: { id: "j", issuer: "i", secret: { env: "S", encodin: "base64" } } }),
      /did you mean "encoding"/,
    ],
    [
      "a JWT without an id",
      withKey("a", { jwt: { issuer: "i", secret: { env: "S" } } }),
      /jwt\.id is missing/,
    ],
    ["a JWT that is null", withKey("a", { jwt: null }), /jwt must be an object, not null/],
    ["something else", "[1]", /credentials must be an object, not an array/],
    ["null", "null", /must be an object, not null/],
  ])("refuses %s, naming file and fix, without quoting a secret", (_name, document, pattern) => {
    const text = messageOf(document, { env: { EMPTY: "", S: secret } });
    expect(text).toMatch(pattern);
    expect(text.startsWith(`credentials file ${path}: `)).toBe(true);
    expect(text).not.toContain(secret);
  });

  it("reads secrets from the environment and from files beside it, as text or base64", async () => {
    writeFileSync(join(folder, "s.txt"), `${secret}\n`);
    const jwt = [
      { id: "e", issuer: "e", secret: { env: "S" } },
      { id: "f", issuer: "f", secret: { file: "s.txt" } },
      { id: "b", issuer: "b", secret: { env: "B", encoding: "base64" } },
    ];
    write(withKey("a", { jwt }));
    const env = { S: secret, B: Buffer.from(secret).toString("base64") };
    const { credentials } = open({ env });
    const exported: unknown[] = [];
    for (const { issuer } of jwt) {
      const [found] = credentials.findTokenCredentials({ issuer });
      const [key] = (await found?.keys.find(issuer, "HS256")) ?? [];
      exported.push(key?.algorithms);
    }
    expect(exported).toEqual([["HS256"], ["HS256"], ["HS256"]]);
    expect(messageOf(withKey("a", { jwt: jwt[2] }), { env: { B: "not base64!" } })).toMatch(/base64/);
    writeFileSync(join(folder, "s.txt"), "\n");
    expect(messageOf(withKey("a", { jwt: jwt[1] }))).toMatch(/s\.txt is empty/);
    writeFileSync(join(folder, "s.txt"), Buffer.from([0xff, 0xfe]));
    expect(messageOf(withKey("a", { jwt: jwt[1] }))).toMatch(/not UTF-8 text; store bytes as base64/);
  });

  it("reads public keys and key sets from files, too", () => {
    const jwk = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "k" };
    writeFileSync(join(folder, "set.json"), JSON.stringify({ keys: [jwk] }));
    const token = { id: "j", issuer: "i", jwks: { file: "set.json" } };
    write(withKey("a", { jwt: [token, { id: "k2", issuer: "i2", publicKey: jwk }] }));
    expect(open().credentials.all).toHaveLength(3);
    writeFileSync(join(folder, "set.json"), "{");
    expect(messageOf(withKey("a", { jwt: token }))).toMatch(/jwt\.jwks: the file set\.json/);
  });

  it("C09 follows the file within one poll", async () => {
    write(withKey("a"));
    const clock = createFakeClock();
    const { credentials } = open({ clock, pollInterval: "1s" });
    replace(withKey("b"));
    clock.advance("1s");
    await until(() => has(credentials, "b"));
    expect(has(credentials, "a")).toBe(false);
    // The same length, and the time put back: only inode and change time tell.
    replace(withKey("c"));
    utimesSync(path, 0, 0);
    await until(() => {
      clock.advance("1s");
      return has(credentials, "c");
    });
  });

  it("C09 follows the file within half a second unless told otherwise, and looks no sooner", async () => {
    write(withKey("a"));
    const clock = createFakeClock();
    const { credentials } = open({ clock });
    replace(withKey("b"));
    clock.advance("499ms");
    // As long as a look would take that had begun.
    await stat(path);
    await new Promise((resolve) => setImmediate(resolve));
    expect(has(credentials, "a")).toBe(true);
    clock.advance("1ms");
    await until(() => has(credentials, "b"));
  });

  it("C09 follows a file that becomes another by a link in its path, as in a mounted Kubernetes secret", async () => {
    mkdirSync(join(folder, "one"));
    mkdirSync(join(folder, "two"));
    writeFileSync(join(folder, "one", "credentials.json"), JSON.stringify(withKey("a")));
    writeFileSync(join(folder, "two", "credentials.json"), JSON.stringify(withKey("b")));
    symlinkSync("one", join(folder, "..data"));
    symlinkSync(join("..data", "credentials.json"), path);
    const clock = createFakeClock();
    const { credentials } = open({ clock });
    symlinkSync("two", join(folder, "..next"));
    renameSync(join(folder, "..next"), join(folder, "..data"));
    clock.advance("500ms");
    await until(() => has(credentials, "b"));
  });

  it("has one look at a time, however slow the file system is", async () => {
    write(withKey("a"));
    const clock = createFakeClock();
    open({ clock });
    expect(clock.pending).toBe(1);
    clock.advance("5s");
    expect(clock.pending).toBe(0);
    await until(() => clock.pending === 1);
  });

  it("follows the files that it refers to", async () => {
    writeFileSync(join(folder, "s.txt"), secret);
    write(withKey("a", { jwt: { id: "j", issuer: "i", secret: { file: "s.txt" } } }));
    const clock = createFakeClock();
    const { credentials } = open({ clock });
    const [before] = credentials.findTokenCredentials({ issuer: "i" });
    writeFileSync(join(folder, "s.txt"), `X${secret}`);
    clock.advance("1s");
    await until(() => credentials.findTokenCredentials({ issuer: "i" })[0] !== before);
  });

  it("D15 keeps the last good state, reports each mistake once, and recovers by itself", async () => {
    write(withKey("a"));
    const clock = createFakeClock();
    const { credentials, reports } = open({ clock });
    replace("{");
    await until(() => {
      clock.advance("1s");
      return reports.length === 1;
    });
    for (let n = 0; n < 5; n++) {
      expect(credentials.reload()).toBe(false);
      clock.advance("1s");
    }
    expect(has(credentials, "a")).toBe(true);
    expect(reports).toMatchObject([{ level: "error", details: { file: path } }]);
    expect(reports[0]?.message).toMatch(
      /not usable JSON.*\nThe credentials that were read last stay in use/s,
    );
    unlinkSync(path);
    credentials.reload();
    expect(reports).toHaveLength(2);
    expect(reports[1]?.message).toMatch(/does not exist/);
    write(withKey("b"));
    clock.advance("1s");
    await until(() => has(credentials, "b"));
    replace("{");
    credentials.reload();
    expect(reports).toHaveLength(3);
  });

  it("gives an editor a moment to finish a file before it reports", async () => {
    write(withKey("a"));
    const clock = createFakeClock();
    const { credentials, reports } = open({ clock, pollInterval: "10s" });
    write("{");
    clock.advance("10s");
    // The retry of the half-written file is waiting beside the poll.
    await until(() => clock.pending === 2);
    write(withKey("b"));
    clock.advance("200ms");
    await until(() => has(credentials, "b"));
    expect(reports).toEqual([]);
  });

  it("finishes when a file that it refers to appears", async () => {
    write(withKey("a"));
    const clock = createFakeClock();
    const { credentials, reports } = open({ clock });
    replace(withKey("b", { jwt: { id: "j", issuer: "i", secret: { file: "sub/s.txt" } } }));
    await until(() => {
      clock.advance("1s");
      return reports.length === 1;
    });
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "sub", "s.txt"), secret);
    clock.advance("1s");
    await until(() => has(credentials, "b"));
  });

  it("keeps a remote key set across reloads, and closes it when it is gone", () => {
    const jwt = { id: "j", issuer: "i", jwksUri: "https://issuer.example/jwks.json" };
    write(withKey("a", { jwt }));
    const { credentials } = open();
    const [before] = credentials.findTokenCredentials({ issuer: "i" });
    let closes = 0;
    const keys = before?.keys as { close(): void };
    const close = keys.close.bind(keys);
    keys.close = () => {
      closes++;
      close();
    };
    replace(withKey("b", { jwt: { ...jwt, state: "inactive" }, allowIps: ["203.0.113.1"] }));
    expect(credentials.reload()).toBe(true);
    const [after] = credentials.findTokenCredentials({ issuer: "i" });
    expect(after).toMatchObject({ active: false, owner: { allowIps: [{}] } });
    expect(after?.keys).toBe(before?.keys);
    replace(withKey("b", { jwt: [jwt, { id: "bad", issuer: "x" }] }));
    expect(credentials.reload()).toBe(false);
    expect(closes).toBe(0);
    replace(withKey("c"));
    credentials.reload();
    expect(closes).toBe(1);
  });

  it("warns of a file that everybody can write", () => {
    write(withKey("a"));
    chmodSync(path, 0o666);
    const { credentials, reports } = open();
    credentials.reload();
    expect(reports).toMatchObject([{ level: "warn", details: { file: path } }]);
    expect(reports[0]?.message).toContain(`chmod o-w ${path}`);
  });

  it("never shows half a state in 1,000 reloads under load", async () => {
    const state = (n: number): object => ({
      version: 2,
      tenants: Object.fromEntries(
        ["t1", "t2", "t3"].map((tenant) => [
          tenant,
          {
            profileKeys: [
              { id: `n${n}`, digest: hex(`${tenant}-${n % 2}`) },
              { id: "fix", digest: hex(tenant) },
            ],
          },
        ]),
      ),
    });
    write(state(0));
    const { credentials, reports } = open({ pollInterval: "50ms" });
    const find = (text: string): string | undefined => credentials.findKey(hex(text), "profile-key")?.id;
    let reading = true;
    let looks = 0;
    const look = async (): Promise<void> => {
      while (reading) {
        const seen = ["t1", "t2", "t3"].map((tenant) => find(`${tenant}-0`) ?? find(`${tenant}-1`));
        expect(new Set(seen).size).toBe(1);
        expect(seen[0]).toMatch(/^n\d+$/);
        expect([find("t1"), find("t2"), find("t3")]).toEqual(["fix", "fix", "fix"]);
        looks++;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const looking = look();
    for (let n = 1; n <= 1000; n++) {
      replace(state(n));
      if (n % 3 === 0) credentials.reload();
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => find("t1-0") === "n1000");
    reading = false;
    await looking;
    expect(looks).toBeGreaterThan(100);
    expect(reports).toEqual([]);
  });

  it("leaves no timer behind, and answers on from what it read", () => {
    write(withKey("a"));
    const clock = createFakeClock();
    const { credentials } = open({ clock });
    replace("{");
    credentials.reload();
    credentials.close();
    expect(clock.pending).toBe(0);
    expect(credentials.reload()).toBe(false);
    expect(has(credentials, "a")).toBe(true);
  });

  it("tells the first reporter what happened before it came, and bears one that throws", () => {
    write(withKey("a"));
    const credentials = credentialsFromFile(path, { clock: systemClock });
    opened.push(credentials);
    replace("{");
    credentials.reload();
    const heard: string[] = [];
    const end = credentials.observe(({ message }) => heard.push(message));
    credentials.observe(() => {
      throw new Error("broken logger");
    });
    expect(heard).toHaveLength(1);
    end();
    replace("[");
    credentials.reload();
    expect(heard).toHaveLength(1);
  });
});
