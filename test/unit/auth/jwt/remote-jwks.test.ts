import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { remoteKeySet } from "../../../../src/auth/jwt/remote-jwks.js";
import { CredentialsUnavailableError } from "../../../../src/errors.js";
import { createFakeClock, type FakeClock } from "../../../../src/testing/fake-clock.js";
import type { CredentialReport, KeySet, VerificationKey } from "../../../../src/types/credential.js";
import { ed25519, jwkOf, p256, rsa } from "../../keys/keys.js";
import { type KeySetServer, startKeySetServer } from "./key-set-server.js";
import { certificate } from "./tls-fixture.js";

const setOf = (...kids: string[]): object => ({ keys: kids.map((kid) => jwkOf(p256.publicKey, { kid })) });

type Answerer = Extract<KeySetServer["answer"], (...args: never[]) => unknown>;

let server: KeySetServer;
let clock: FakeClock;
let reports: CredentialReport[];
let open: KeySet[];

beforeEach(async () => {
  server = await startKeySetServer();
  server.answer = setOf("a");
  clock = createFakeClock();
  reports = [];
  open = [];
});

afterEach(async () => {
  for (const set of open) set.close?.();
  await server.close();
  expect(clock.pending).toBe(0);
});

function create(options: object = {}): KeySet {
  const set = remoteKeySet(
    {
      uri: `https://localhost:${server.port}/jwks.json?key=hidden`,
      ca: certificate,
      dangerouslyAllowPrivateAddress: true,
      ...options,
    },
    {
      where: "auth.jwt.jwksUri",
      algorithms: undefined,
      clock,
      onEvent: (report) => void reports.push(report),
    },
  );
  open.push(set);
  return set;
}

async function kidsOf(set: KeySet, kid: string | undefined): Promise<(string | undefined)[]> {
  return (await set.find(kid, "ES256")).map((key: VerificationKey) => key.kid);
}

/** Resolves when `condition` holds; the loop turns over meanwhile. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe("remoteKeySet", () => {
  it("fetches when first asked, and answers without a promise from then on", async () => {
    const set = create();
    expect(server.requests).toEqual([]);
    expect(await kidsOf(set, "a")).toEqual(["a"]);
    expect(server.requests).toEqual(["/jwks.json?key=hidden"]);
    expect(set.find("a", "ES256")).toHaveLength(1);
    expect(set.find(undefined, "ES256")).toHaveLength(1);
    expect(set.find("a", "RS256")).not.toHaveProperty("then");
  });

  it("A31 fetches once for all who ask at the same time", async () => {
    const set = create();
    const answers = await Promise.all(Array.from({ length: 50 }, () => kidsOf(set, "a")));
    expect(answers.every(([kid]) => kid === "a")).toBe(true);
    expect(server.requests).toHaveLength(1);
  });

  it("A09 A31 fetches at most once per cooldown for 10,000 unknown kids, which get no key and no error", async () => {
    const set = create();
    await kidsOf(set, "a");
    const flood = async (): Promise<void> => {
      const found = await Promise.all(Array.from({ length: 10_000 }, (_, i) => set.find(`x${i}`, "ES256")));
      expect(found.every((keys) => keys.length === 0)).toBe(true);
    };
    await flood();
    expect(server.requests).toHaveLength(1);
    clock.advance(29_999);
    await flood();
    expect(server.requests).toHaveLength(1);
    clock.advance(1);
    await flood();
    expect(server.requests).toHaveLength(2);
  });

  it("A33 finds a new kid within one cooldown, and forgets a key that is gone", async () => {
    const set = create();
    await kidsOf(set, "a");
    server.answer = setOf("b");
    expect(await kidsOf(set, "b")).toEqual([]);
    clock.advance(30_000);
    expect(await kidsOf(set, "b")).toEqual(["b"]);
    expect(await kidsOf(set, "a")).toEqual([]);
  });

  it("refreshes behind the answer once the set is older than maxAge", async () => {
    const set = create({ maxAge: "1m" });
    await kidsOf(set, "a");
    server.answer = setOf("b");
    clock.advance(59_999);
    expect(set.find("a", "ES256")).toHaveLength(1);
    expect(server.requests).toHaveLength(1);
    clock.advance(1);
    expect(set.find("a", "ES256")).toHaveLength(1);
    await until(() => (set.find("a", "ES256") as readonly unknown[]).length === 0);
    expect(server.requests).toHaveLength(2);
  });

  it("A32 keeps the last good set until staleIfError has passed, then cannot answer", async () => {
    const set = create({ maxAge: "1m", staleIfError: "100s" });
    await kidsOf(set, "a");
    server.answer = (_req, res) => res.writeHead(500).end();
    clock.advance(60_000);
    expect(await kidsOf(set, "a")).toEqual(["a"]);
    await until(() => reports.length === 1);
    expect(reports[0]).toMatchObject({
      level: "warn",
      message: expect.stringContaining("the last good set stays in use"),
      details: { reason: "the answer has status 500" },
    });
    clock.advance(99_999);
    expect(await kidsOf(set, "a")).toEqual(["a"]);
    await until(() => reports.length === 2);
    clock.advance(1);
    await expect(kidsOf(set, "a")).rejects.toThrow(CredentialsUnavailableError);
    server.answer = setOf("a");
    clock.advance(30_000);
    expect(await kidsOf(set, "a")).toEqual(["a"]);
  });

  it("A31 keeps the cooldown also while there is no set", async () => {
    server.answer = (_req, res) => res.writeHead(503).end();
    const set = create();
    for (let i = 0; i < 3; i++) await expect(kidsOf(set, "a")).rejects.toThrow(/status 503/);
    expect(server.requests).toHaveLength(1);
    expect(reports).toEqual([
      {
        level: "error",
        message: "auth.jwt.jwksUri: the key set cannot be had; tokens cannot be checked",
        details: {
          jwksUri: `https://localhost:${server.port}/jwks.json`,
          reason: "the answer has status 503",
        },
      },
    ]);
  });

  it("does not wait for a clock that was set back", async () => {
    const set = create();
    await kidsOf(set, "a");
    clock.advance(-3_600_000);
    server.answer = setOf("b");
    expect(await kidsOf(set, "b")).toEqual(["b"]);
  });

  const big = JSON.stringify({ keys: [], filler: "x".repeat(256 * 1024) });
  const json =
    (value: unknown): Answerer =>
    (_req, res) =>
      res.end(JSON.stringify(value));

  it.each([
    [
      "a redirect",
      (_q, res) => res.writeHead(302, { location: "/other" }).end(),
      /redirect \(302\).*set jwksUri/,
    ],
    ["HTML", (_q, res) => res.end("<html></html>"), /answer is not valid JSON/],
    ["nothing", (_q, res) => res.end(), /answer is not valid JSON/],
    ["status 204", (_q, res) => res.writeHead(204).end(), /status 204/],
    [
      "too much, announced",
      (_q, res) => res.writeHead(200, { "content-length": big.length }).end(big),
      /longer than/,
    ],
    [
      "too much, in chunks",
      (_q, res) => {
        res.write(big);
        res.end();
      },
      /longer than 262144 bytes/,
    ],
    [
      "a content coding",
      (_q, res) => res.writeHead(200, { "content-encoding": "gzip" }).end("x"),
      /content coding/,
    ],
    [
      "half an answer",
      (_q, res) => {
        res.writeHead(200, { "content-length": 99 });
        res.write("{");
        setImmediate(() => res.destroy());
      },
      /aborted|hang up/,
    ],
    ["repeated members", (_q, res) => res.end('{"keys":[],"keys":[]}'), /answer repeats the name/],
    ["a byte order mark", (_q, res) => res.end('\ufeff{"keys":[]}'), /byte order mark/],
    ["no set", json([]), /the set must be a JWK set/],
    ["a duplicate kid", json(setOf("a", "a")), /has the kid of another key/],
    ["a secret", json({ keys: [jwkOf(rsa.publicKey), { kty: "oct", k: "AAAA" }] }), /shared secret/],
    ["a private key", json({ keys: [jwkOf(ed25519.privateKey)] }), /private key/],
  ] satisfies [string, Answerer, RegExp][])(
    "A10 A32 does not take %s for a set, and keeps the last good one",
    async (_name, answer, reason) => {
      server.answer = answer;
      await expect(kidsOf(create(), "a")).rejects.toThrow(reason);
      expect(server.requests).toEqual(["/jwks.json?key=hidden"]);
      server.answer = setOf("a");
      const set = create();
      await kidsOf(set, "a");
      server.answer = answer;
      clock.advance(30_000);
      expect(await kidsOf(set, "new")).toEqual([]);
      expect(await kidsOf(set, "a")).toEqual(["a"]);
      expect(reports.map(({ level }) => level)).toEqual(["error", "warn"]);
    },
  );

  it("A32 gives up at the timeout, also in the middle of an answer", async () => {
    let arrived = false;
    server.answer = (_req, res) => {
      res.write('{"keys":');
      arrived = true;
    };
    const found = kidsOf(create({ timeout: "500ms" }), "a");
    const refused = expect(found).rejects.toThrow("no complete answer within 500 ms");
    await until(() => arrived);
    clock.advance(500);
    await refused;
  });

  it("A32 does not connect to a name that leads to a private address", async () => {
    let connections = 0;
    const listener = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const { port } = listener.address() as { port: number };
    const uri = `https://localhost:${port}/`;
    const set = create({ uri, dangerouslyAllowPrivateAddress: undefined });
    await expect(kidsOf(set, "a")).rejects.toThrow(
      /outside the public internet.*dangerouslyAllowPrivateAddress/,
    );
    expect(connections).toBe(0);
    await new Promise((resolve) => listener.close(resolve));
  });

  it("A32 does not trust a certificate of unknown origin", async () => {
    await expect(kidsOf(create({ ca: undefined }), "a")).rejects.toThrow(/certificate/);
    expect(server.requests).toEqual([]);
  });

  it("takes an empty set as it is, so that a publisher can withdraw every key, and warns", async () => {
    server.answer = { keys: [] };
    expect(await kidsOf(create(), "a")).toEqual([]);
    expect(reports).toMatchObject([
      { level: "warn", message: expect.stringContaining("every token will be refused") },
    ]);
  });

  it("ends a fetch under way when closed, without a report, and fetches no more", async () => {
    server.answer = () => {};
    const set = create();
    const refused = expect(kidsOf(set, "a")).rejects.toThrow(CredentialsUnavailableError);
    await until(() => server.requests.length === 1);
    set.close?.();
    await refused;
    clock.advance(60_000);
    await expect(kidsOf(set, "a")).rejects.toThrow(CredentialsUnavailableError);
    expect(server.requests).toHaveLength(1);
    expect(reports).toEqual([]);
  });

  it.each([
    [undefined, /jwksUri must be an object, not undefined/],
    [{}, /jwksUri\.uri must be an https URL/],
    ["http://issuer.example/jwks.json", /must be an https URL.*plain HTTP/],
    ["file:///etc/passwd", /must be an https URL/],
    ["issuer.example", /must be an https URL/],
    ["https://user:pass@issuer.example/", /must not hold a user name or password/],
    ["https://127.0.0.1/", /is on 127\.0\.0\.1, outside the public internet/],
    ["https://0x7f.1/", /is on 127\.0\.0\.1/],
    ["https://[::1]/", /is on ::1/],
    ["https://[::ffff:10.0.0.1]/", /outside the public internet/],
    ["https://169.254.169.254/latest/meta-data", /outside the public internet/],
    [{ uri: "https://issuer.example/", ca: "x" }, /ca must be a certificate in PEM/],
    [{ uri: "https://issuer.example/", timeouts: 1 }, /no option "timeouts"; did you mean "timeout"/],
    [
      { uri: "https://issuer.example/", timeout: "0s" },
      /timeout must be a duration such as "10s", from "100ms" to "1m"/,
    ],
    [
      { uri: "https://issuer.example/", cooldown: "0s" },
      /cooldown must be a duration such as "10s", from "1s" to "30d"/,
    ],
    [{ uri: "https://issuer.example/", maxAge: Number.NaN }, /maxAge must be a duration/],
    [{ uri: "https://issuer.example/", dangerouslyAllowPrivateAddress: 1 }, /must be true or left out/],
  ])("A32 refuses %p at construction", (options, message) => {
    const context = { where: "jwt.jwksUri", algorithms: undefined, clock, onEvent: undefined };
    expect(() => remoteKeySet(options, context)).toThrow(TypeError);
    expect(() => remoteKeySet(options, context)).toThrow(message);
  });
});
