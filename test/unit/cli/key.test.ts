import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { credentialsFromFile } from "../../../src/auth/credentials/file.js";
import { verifyToken } from "../../../src/auth/jwt/verify.js";
import { findCaller } from "../../../src/auth/service-key.js";
import { main } from "../../../src/cli/run.js";
import { Refusal } from "../../../src/errors.js";

const now = Date.parse("2026-03-01T12:00:00Z");

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-cli-"));
  file = join(folder, "credentials.json");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  line: string | readonly string[],
  env: Record<string, string> = {},
  clock: () => number = () => now,
): Promise<Ran> {
  const argv = typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line;
  let out = "";
  let err = "";
  const code = await main(argv, {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    environment: { variable: (name) => (Object.hasOwn(env, name) ? env[name] : undefined) },
    clock: { now: clock, after: () => () => {} },
    cwd: folder,
  });
  return { code, out, err };
}

function document(): { tenants: Record<string, { services: Record<string, Record<string, unknown[]>> }> } {
  return JSON.parse(readFileSync(file, "utf8"));
}

const owner = "--file credentials.json --tenant acme --service orders";

describe("hookgate key new", () => {
  it("makes the file, for its owner alone, and prints the key alone on standard output", async () => {
    const { code, out, err } = await run(`key new ${owner} --id first --expires 90d`);
    expect(code).toBe(0);
    const key = out.trimEnd();
    expect(key).toMatch(/^[\w-]{43}$/);
    expect(err).not.toContain(key);
    expect(err).toMatch(/Stored service-key "first" of service "orders" of tenant "acme"/);
    const digest = `sha256:${createHash("sha256").update(key).digest("hex")}`;
    expect(document()).toEqual({
      version: 2,
      tenants: {
        acme: {
          services: {
            orders: { serviceKeys: [{ id: "first", digest, expiresAt: "2026-05-30T12:00:00.000Z" }] },
          },
        },
      },
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["credentials.json"]);
  });

  it.each([
    ["1.5h", "2026-03-01T13:30:00.000Z"],
    ["250ms", "2026-03-01T12:00:00.250Z"],
    ["36500d", "2126-02-05T12:00:00.000Z"],
  ])("takes --expires %s as a duration from now", async (duration, expiresAt) => {
    expect(await run(`key new ${owner} --expires ${duration}`)).toMatchObject({ code: 0 });
    expect(document().tenants.acme?.services.orders?.serviceKeys).toMatchObject([{ expiresAt }]);
  });

  it.each(["36501d", "90", "0d", "90days"])("refuses --expires %s, and makes no file", async (text) => {
    expect(await run(`key new ${owner} --expires ${text}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        `--expires must be a duration from now such as 12h or 90d, at most 36500d, or an`,
      ),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("makes a key that a receiver takes", async () => {
    const { out } = await run(`key new ${owner}`);
    const credentials = credentialsFromFile(file);
    const found = findCaller(out.trimEnd(), ["service-key"], credentials, now);
    credentials.close();
    expect(found).not.toBeInstanceOf(Refusal);
    expect(found).toMatchObject({ id: expect.stringMatching(/^key-20260301-[0-9a-f]{6}$/) });
  });

  it("makes a profile key where no service is named", async () => {
    const { code, err } = await run("key new --file credentials.json --tenant acme --id p");
    expect([code, err]).toEqual([0, expect.stringMatching(/Stored profile-key "p" of tenant "acme"/)]);
    expect(document().tenants.acme).toMatchObject({ profileKeys: [{ id: "p" }] });
  });

  it("only prints a key where no file is named", async () => {
    const { code, out, err } = await run("key new");
    const digest = createHash("sha256").update(out.trimEnd()).digest("hex");
    expect([code, err.includes(`sha256:${digest}`), readdirSync(folder)]).toEqual([0, true, []]);
    expect(await run("key new --tenant acme")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--tenant goes with --file/),
    });
  });

  it("writes a JWT's secret into a file that it never overwrites", async () => {
    const line = `key new ${owner} --kind jwt --id j --issuer hub --audience a --audience b --secret-file s.txt`;
    const { code, out } = await run(line);
    expect([code, out]).toEqual([0, ""]);
    const secretPath = join(folder, "s.txt");
    expect(statSync(secretPath).mode & 0o777).toBe(0o600);
    const secret = readFileSync(secretPath, "utf8");
    expect(Buffer.from(secret, "base64url")).toHaveLength(32);
    expect(document().tenants.acme?.services.orders?.jwt).toEqual([
      { id: "j", issuer: "hub", audience: ["a", "b"], secret: { file: "s.txt" } },
    ]);
    const again = await run(line.replace("--id j", "--id k"));
    expect([again.code, again.err]).toEqual([
      1,
      expect.stringMatching(/s\.txt already exists and is not overwritten/),
    ]);
    expect(readFileSync(secretPath, "utf8")).toBe(secret);
  });

  it("takes a secret file back where the credential could not be stored", async () => {
    const jwt = `key new ${owner} --kind jwt --issuer hub`;
    await run(`${jwt} --id j --secret-file s.txt`);
    const same = await run(`${jwt} --id j --secret-file t.txt`);
    expect([same.code, same.err]).toEqual([1, expect.stringMatching(/already has a credential "j"/)]);
    const bad = await run(`${jwt} --id k --not-before 2026-02-31T00:00:00Z --secret-file t.txt`);
    expect([bad.code, bad.err]).toEqual([
      1,
      expect.stringMatching(/notBefore must be a Date or ISO 8601.*\nNothing was changed/s),
    ]);
    expect(existsSync(join(folder, "t.txt"))).toBe(false);
    expect(document().tenants.acme?.services.orders?.jwt).toHaveLength(1);
  });

  it("prints a JWT's secret for a variable, which need not be set in this shell", async () => {
    const { code, out } = await run(
      `key new ${owner} --kind jwt --id j --issuer hub --algorithm HS512 --secret-env HOOK_SECRET`,
    );
    expect(code).toBe(0);
    expect(Buffer.from(out.trimEnd(), "base64url")).toHaveLength(64);
    expect(document().tenants.acme?.services.orders?.jwt).toEqual([
      { id: "j", issuer: "hub", algorithms: ["HS512"], secret: { env: "HOOK_SECRET" } },
    ]);
    expect((await run(`key new ${owner}`)).code).toBe(0);
  });

  it("keeps everything that it does not change, and the file's mode", async () => {
    await run(`key new ${owner} --id a`);
    const edited = document() as unknown as { tenants: { acme: Record<string, unknown> } };
    edited.tenants.acme.allowIps = { ranges: ["203.0.113.0/24"], mode: "shadow" };
    writeFileSync(file, JSON.stringify(edited));
    chmodSync(file, 0o640);
    await run(`key new ${owner} --id b`);
    expect(document().tenants.acme).toMatchObject({
      allowIps: { ranges: ["203.0.113.0/24"], mode: "shadow" },
    });
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it("edits the file behind a link", async () => {
    await run(`key new ${owner} --id a`);
    symlinkSync("credentials.json", join(folder, "link.json"));
    expect((await run(`key new ${owner.replace("credentials", "link")} --id b`)).code).toBe(0);
    expect(lstatSync(join(folder, "link.json")).isSymbolicLink()).toBe(true);
    expect(document().tenants.acme?.services.orders?.serviceKeys).toHaveLength(2);
  });

  it("C06 takes __proto__ for a name like any other", async () => {
    const { code } = await run(
      "key new --file credentials.json --tenant __proto__ --service constructor --id a",
    );
    expect(code).toBe(0);
    expect((await run("key list --file credentials.json")).out).toMatch(
      /__proto__ +constructor +service-key +a/,
    );
  });

  it.each([
    ["key new --file credentials.json", /--tenant is missing/],
    [`key new ${owner} --kind profile-key`, /belongs to its tenant: leave out --service/],
    ["key new --file f --tenant t --kind service-key", /--service is missing/],
    [`key new ${owner} --kind key`, /--kind must be service-key, profile-key or jwt/],
    [`key new ${owner} --issuer x`, /--issuer goes with --kind jwt/],
    [`key new ${owner} --audience x`, /--audience goes with --kind jwt/],
    [`key new ${owner} --kind jwt`, /--issuer is missing/],
    [`key new ${owner} --kind jwt --issuer i`, /needs --secret-file PATH or --secret-env NAME/],
    [`key new ${owner} --kind jwt --issuer i --secret-env A --secret-file b`, /needs --secret-file PATH or/],
    [`key new ${owner} --kind jwt --issuer i --secret-env 1A`, /is no name of a variable/],
    [`key new ${owner} --kind jwt --issuer i --algorithm RS256`, /must be HS256, HS384 or HS512/],
    [`key new ${owner} --tenat x`, /there is no option --tenat; did you mean --tenant\?/],
    [`key new ${owner} --tenant globex`, /--tenant was given twice/],
    [`key new ${owner} extra`, /"extra" is not expected here/],
    [`key new ${owner} --id`, /--id/],
    ["key new --file= --tenant a", /--file is empty; is a variable of the shell not set\?/],
  ])("is not understood: %s", async (line, message) => {
    const { code, out, err } = await run(line);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
    expect(err).toMatch(/\nSee: hookgate key new --help\n$/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a credentials file", () => {
  it("is left as it is where it is not usable, and the message says what is wrong", async () => {
    const bad = '{"tenants":{"acme":{"profilekeys":[]}}}';
    writeFileSync(file, bad);
    for (const line of [`key new ${owner}`, "key list --file credentials.json"]) {
      const { code, err } = await run(line);
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(/did you mean "profileKeys"\?\nNothing was changed/),
      ]);
    }
    expect(readFileSync(file, "utf8")).toBe(bad);
    expect(readdirSync(folder)).toEqual(["credentials.json"]);
  });

  it("has to be there for every other command, which says how to make one", async () => {
    for (const line of ["key list --file credentials.json", `key delete ${owner} --id a`]) {
      const { code, err } = await run(line);
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(/does not exist; make it with: npx hookgate key new/),
      ]);
    }
  });

  it("is not edited twice at once", async () => {
    const runs = await Promise.all(Array.from({ length: 8 }, (_, n) => run(`key new ${owner} --id k${n}`)));
    expect(runs.map(({ code }) => code)).toEqual(Array(8).fill(0));
    expect(document().tenants.acme?.services.orders?.serviceKeys).toHaveLength(8);
  });

  it("is freed from the lock of a process that died, and waits for one that lives", async () => {
    writeFileSync(`${file}.lock`, "1 dead");
    utimesSync(`${file}.lock`, (now - 11_000) / 1000, (now - 11_000) / 1000);
    expect((await run(`key new ${owner} --id a`)).code).toBe(0);
    writeFileSync(`${file}.lock`, "1 alive");
    utimesSync(`${file}.lock`, now / 1000, now / 1000);
    const waiting = run(`key new ${owner} --id b`);
    await new Promise((resolve) => setImmediate(resolve));
    expect(readFileSync(`${file}.lock`, "utf8")).toBe("1 alive");
    rmSync(`${file}.lock`);
    expect((await waiting).code).toBe(0);
  });

  it("names the lock that it cannot get", async () => {
    const missing = await run("key new --file no/credentials.json --tenant a");
    writeFileSync(`${file}.lock`, "1 alive");
    utimesSync(`${file}.lock`, now / 1000, now / 1000);
    let time = now;
    const held = await run(`key new ${owner}`, {}, () => {
      time += 1000;
      return time;
    });
    expect(held.code).toBe(1);
    expect(held.err).toMatch(/is being edited by another process; if none is running, delete .*\.lock/);
    expect(readFileSync(`${file}.lock`, "utf8")).toBe("1 alive");
    expect([missing.code, missing.err]).toEqual([
      1,
      expect.stringMatching(/cannot write .*credentials\.json\.lock \(ENOENT\)/),
    ]);
  });
});

describe("hookgate key list", () => {
  it("shows states and lifetimes, and nothing secret", async () => {
    const { out: key } = await run(`key new ${owner} --id a`);
    await run(`key new ${owner} --id old --expires 2026-03-01T12:00:00Z`);
    await run(`key new ${owner} --id next --not-before 1d`);
    await run(`key new ${owner} --id j --kind jwt --issuer hub --secret-file s.txt`);
    await run(`key deactivate ${owner} --id j --force-lock-out`);
    await run("key new --file credentials.json --tenant globex --id p");
    const { code, out } = await run("key list --file credentials.json");
    expect(code).toBe(0);
    expect(out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["tenant", "service", "kind", "id", "state", "notBefore", "expiresAt"],
      ["acme", "orders", "service-key", "a", "active", "-", "-"],
      ["acme", "orders", "service-key", "old", "expired", "-", "2026-03-01T12:00:00.000Z"],
      ["acme", "orders", "service-key", "next", "not yet", "2026-03-02T12:00:00.000Z", "-"],
      ["acme", "orders", "jwt", "j", "inactive", "-", "-"],
      ["globex", "-", "profile-key", "p", "active", "-", "-"],
      [""],
    ]);
    const json = (await run("key list --file credentials.json --tenant acme --service orders --json")).out;
    expect(JSON.parse(json)).toHaveLength(4);
    expect(JSON.parse(json)[0]).toEqual({
      tenant: "acme",
      service: "orders",
      kind: "service-key",
      id: "a",
      state: "active",
      notBefore: null,
      expiresAt: null,
    });
    const digest = createHash("sha256").update(key.trimEnd()).digest("hex");
    for (const text of [out, json]) {
      expect(text).not.toContain(digest);
      expect(text).not.toContain(readFileSync(join(folder, "s.txt"), "utf8"));
    }
  });
});

describe("hookgate key activate, deactivate, delete", () => {
  async function stateOf(id: string): Promise<string> {
    const rows = JSON.parse((await run("key list --file credentials.json --json")).out) as {
      id: string;
      state: string;
    }[];
    return rows.find((row) => row.id === id)?.state ?? "gone";
  }

  it("carry out a rotation", async () => {
    await run(`key new ${owner} --id old`);
    await run(`key new ${owner} --id new`);
    expect((await run(`key delete ${owner} --id old`)).err).toMatch(
      /is not inactive; run hookgate key deactivate first/,
    );
    expect(await run(`key deactivate ${owner} --id old`)).toMatchObject({ code: 0, out: "" });
    expect(await stateOf("old")).toBe("inactive");
    expect((await run(`key activate ${owner} --id old`)).code).toBe(0);
    expect(await stateOf("old")).toBe("active");
    await run(`key deactivate ${owner} --id old`);
    expect((await run(`key deactivate ${owner} --id old`)).err).toMatch(/is already inactive/);
    expect((await run(`key delete ${owner} --id old`)).code).toBe(0);
    expect(await stateOf("old")).toBe("gone");
    expect((await run(`key activate ${owner} --id new`)).err).toMatch(/is already active\.\n/);
  });

  it("do not take the last active credential of a kind by mistake", async () => {
    await run(`key new ${owner} --id a`);
    await run(`key new ${owner} --id expired --expires 2026-03-01T12:00:00Z`);
    await run(`key new ${owner} --id next --not-before 1d`);
    await run(`key new ${owner} --id j --kind jwt --issuer hub --secret-file s.txt`);
    const before = readFileSync(file, "utf8");
    const { code, err } = await run(`key deactivate ${owner} --id a`);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/"a" is the last active service-key of service "orders".*--force-lock-out/),
    ]);
    expect((await run(`key deactivate ${owner} --id j`)).code).toBe(1);
    expect(readFileSync(file, "utf8")).toBe(before);
    expect((await run(`key deactivate ${owner} --id expired`)).code).toBe(0);
    expect((await run(`key deactivate ${owner} --id a --force-lock-out`)).code).toBe(0);
    expect(await stateOf("a")).toBe("inactive");
    expect((await run(`key activate ${owner} --id next`)).err).toMatch(
      /is already active, but it is not yet/,
    );
  });

  it("take an owner out with its last credential, but never empty the file", async () => {
    await run(`key new ${owner} --id a`);
    await run("key new --file credentials.json --tenant globex --id p");
    await run(`key deactivate ${owner} --id a --force-lock-out`);
    expect((await run(`key delete ${owner} --id a`)).code).toBe(0);
    expect(Object.keys(document().tenants)).toEqual(["globex"]);
    await run("key deactivate --file credentials.json --tenant globex --id p --force-lock-out");
    const { code, err } = await run("key delete --file credentials.json --tenant globex --id p");
    expect([code, err]).toEqual([1, expect.stringMatching(/the only credential of the file/)]);
  });

  it("name what there is where an id is wrong", async () => {
    await run(`key new ${owner} --id a`);
    expect((await run(`key activate ${owner} --id b`)).err).toMatch(/has no credential "b"; there is "a"/);
    expect((await run("key activate --file credentials.json --tenant globex --id b")).err).toMatch(
      /tenant "globex" has no credential in this file; hookgate key list/,
    );
    expect((await run(`key activate ${owner}`)).err).toMatch(/--id is missing/);
  });

  it("edit a JWT that stands alone, not in an array", async () => {
    writeFileSync(join(folder, "s.txt"), "p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA");
    const jwt = { id: "j", issuer: "hub", secret: { file: "s.txt" } };
    writeFileSync(file, JSON.stringify({ version: 2, tenants: { acme: { services: { orders: { jwt } } } } }));
    expect((await run(`key deactivate ${owner} --id j --force-lock-out`)).code).toBe(0);
    expect(await stateOf("j")).toBe("inactive");
  });
});

describe("hookgate token sign", () => {
  const sign = `token sign ${owner} --id j`;

  it("signs what a receiver takes, with the credential's issuer, audience and kid", async () => {
    await run(
      `key new ${owner} --id j --kind jwt --issuer hub --audience in --audience out --secret-file s.txt`,
    );
    const { code, out } = await run(`${sign} --claim sub=7 --claim roles:=["a"] --claim n:=7`);
    expect(code).toBe(0);
    const credentials = credentialsFromFile(file);
    const verified = await verifyToken(out.trimEnd(), credentials, now);
    credentials.close();
    expect(verified).toMatchObject({
      credential: { id: "j" },
      claims: { iss: "hub", aud: "in", iat: now / 1000, exp: now / 1000 + 300, sub: "7", roles: ["a"], n: 7 },
    });
    expect(JSON.parse(Buffer.from(out.split(".")[0] ?? "", "base64url").toString())).toEqual({
      alg: "HS256",
      typ: "JWT",
      kid: "j",
    });
  });

  it("reads the secret from the environment, and says which variable is missing", async () => {
    const { out: secret } = await run(`key new ${owner} --id j --kind jwt --issuer hub --secret-env HOOK`);
    expect((await run(sign, { HOOK: secret.trimEnd() })).code).toBe(0);
    const { code, err } = await run(sign);
    expect([code, err]).toEqual([1, expect.stringMatching(/the environment variable HOOK is not set/)]);
  });

  it("warns where the credential is of no use now", async () => {
    await run(`key new ${owner} --id j --kind jwt --issuer hub --secret-file s.txt`);
    await run(`key deactivate ${owner} --id j --force-lock-out`);
    expect(await run(sign)).toMatchObject({
      code: 0,
      err: expect.stringMatching(/the credential is inactive/),
    });
  });

  it("refuses what cannot be signed", async () => {
    await run(`key new ${owner} --id j --kind jwt --issuer hub --audience in --secret-file s.txt`);
    await run(`key new ${owner} --id k`);
    const edited = document();
    const list = edited.tenants.acme?.services.orders?.jwt ?? [];
    Object.assign(list[0] as object, { requiredClaims: ["sub"], maxLifetime: "10m" });
    list.push({ id: "remote", issuer: "hub2", jwksUri: "https://issuer.example/jwks.json" });
    writeFileSync(file, JSON.stringify(edited));
    const failures: [string, number, RegExp][] = [
      [`token sign ${owner} --id k`, 1, /is a key, not a JWT credential/],
      [`token sign ${owner} --id remote`, 1, /has only public keys, which cannot sign/],
      [sign, 2, /requires the claim "sub": add --claim sub=/],
      [`${sign} --claim sub=1 --expires-in 1h`, 2, /may be 600s at most/],
      [`${sign} --claim sub=1 --expires-in 1500ms`, 2, /must be a duration in whole seconds, such as 30s/],
      [`${sign} --claim sub=1 --expires-in soon`, 2, /must be a duration in whole seconds, such as 30s/],
      [`${sign} --claim sub=1 --audience other`, 2, /is not one of the credential's: in/],
      [`${sign} --claim iss=me`, 2, /--claim iss: this claim is set/],
      [`${sign} --claim sub`, 2, /must be name=text/],
      [`${sign} --claim :=1`, 2, /must be name=text/],
      [`${sign} --claim sub:={`, 2, /must be JSON/],
      [`token sign --file credentials.json --tenant acme --id j`, 2, /--service is missing/],
    ];
    for (const [line, code, message] of failures) {
      const ran = await run(line);
      expect([ran.code, ran.out, ran.err]).toEqual([code, "", expect.stringMatching(message)]);
    }
  });
});

describe("hookgate", () => {
  it("helps, and knows its version", async () => {
    expect((await run("--help")).out).toMatch(/^Usage: hookgate <command>/);
    for (const name of [
      "key new",
      "key list",
      "key activate",
      "key deactivate",
      "key delete",
      "token sign",
    ]) {
      expect(await run(`${name} --help`)).toMatchObject({
        code: 0,
        out: expect.stringMatching(new RegExp(`^Usage: hookgate ${name}`)),
      });
    }
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(await run("--version")).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  it("says what it did not understand", async () => {
    expect(await run("")).toMatchObject({ code: 2, err: expect.stringMatching(/^Usage: hookgate/) });
    expect(await run("key nwe")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/did you mean "key new"\?/),
    });
    expect(await run("frobnicate")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/there is no command "frobnicate"/),
    });
  });
});
