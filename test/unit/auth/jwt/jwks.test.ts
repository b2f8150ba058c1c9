import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { localKeySet, parseKeySet, parsePublicKey, remoteKeySet } from "../../../../src/auth/jwt/jwks.js";
import { CredentialsUnavailableError } from "../../../../src/errors.js";
import { parseAlgorithms } from "../../../../src/keys/algorithms.js";
import { createFakeClock, type FakeClock } from "../../../../src/testing/fake-clock.js";
import type { CredentialReport, KeySet, VerificationKey } from "../../../../src/types/credential.js";
import { ed25519, type Jwk, jwkOf, p256, p384, p521, pemOf, rsa } from "../../keys/keys.js";
import { type KeySetServer, startKeySetServer } from "./key-set-server.js";
import { certificate } from "./tls-fixture.js";

function setOf(...keys: unknown[]) {
  return localKeySet(parseKeySet({ keys }, { where: "jwks", algorithms: undefined }));
}

describe("localKeySet", () => {
  it("A09 gives a kid exactly its key, for that key's algorithm only", () => {
    const set = setOf(
      jwkOf(p256.publicKey, { kid: "a" }),
      jwkOf(ed25519.publicKey, { kid: "b" }),
      jwkOf(p256.publicKey),
    );
    expect(set.find("a", "ES256").map(({ kid }) => kid)).toEqual(["a"]);
    expect(set.find("a", "EdDSA")).toEqual([]);
    expect(set.find("c", "ES256")).toEqual([]);
  });

  it.each([["__proto__"], ["constructor"], ["toString"], [""]])("A08 has no key for the kid %p", (kid) => {
    expect(setOf(jwkOf(p256.publicKey, { kid: "a" })).find(kid, "ES256")).toEqual([]);
  });

  it("A09 gives at most four keys where the token names none, in order", () => {
    const keys = ["a", "b", "c", "d", "e"].map((kid) => jwkOf(p256.publicKey, { kid }));
    const set = setOf(jwkOf(ed25519.publicKey), ...keys);
    expect(set.find(undefined, "ES256").map(({ kid }) => kid)).toEqual(["a", "b", "c", "d"]);
    expect(set.find(undefined, "EdDSA")).toHaveLength(1);
    expect(set.find(undefined, "RS256")).toEqual([]);
  });
});

const remoteSetOf = (...kids: string[]): object => ({
  keys: kids.map((kid) => jwkOf(p256.publicKey, { kid })),
});

type Answerer = Extract<KeySetServer["answer"], (...args: never[]) => unknown>;

let server: KeySetServer;
let clock: FakeClock;
let reports: CredentialReport[];
let open: KeySet[];

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
  beforeEach(async () => {
    server = await startKeySetServer();
    server.answer = remoteSetOf("a");
    clock = createFakeClock();
    reports = [];
    open = [];
  });

  afterEach(async () => {
    for (const set of open) set.close?.();
    await server.close();
    expect(clock.pending).toBe(0);
  });

  it("fetches when first asked, and answers without a promise from then on", async () => {
    const set = create();
    expect(server.requests).toEqual([]);
    expect(await kidsOf(set, "a")).toEqual(["a"]);
    expect(server.requests).toEqual(["/jwks.json?key=hidden"]);
    expect(set.find("a", "ES256")).toHaveLength(1);
    expect(set.find(undefined, "ES256")).toHaveLength(1);
    expect(set.find("a", "RS256")).not.toHaveProperty("then");
  });

  it("A32 reports a failed refresh as an outage where the clock fails, too", async () => {
    const machine = clock;
    let broken = false;
    clock = Object.assign(Object.create(machine) as FakeClock, {
      now: () => {
        if (broken) throw new TypeError("no time");
        return machine.now();
      },
      after: machine.after.bind(machine),
    });
    const set = create();
    expect(await kidsOf(set, "a")).toEqual(["a"]);
    server.answer = (_request, response) => {
      broken = true;
      response.writeHead(500).end();
    };
    machine.advance(`${11 * 60_000}ms`);
    expect(await kidsOf(set, "a")).toEqual(["a"]);
    await until(() => reports.length > 0);
    clock = machine;
    expect(reports).toMatchObject([{ level: "error" }]);
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
    clock.advance("29999ms");
    await flood();
    expect(server.requests).toHaveLength(1);
    clock.advance("1ms");
    await flood();
    expect(server.requests).toHaveLength(2);
  });

  it("A33 finds a new kid within one cooldown, and forgets a key that is gone", async () => {
    const set = create();
    await kidsOf(set, "a");
    server.answer = remoteSetOf("b");
    expect(await kidsOf(set, "b")).toEqual([]);
    clock.advance("30s");
    expect(await kidsOf(set, "b")).toEqual(["b"]);
    expect(await kidsOf(set, "a")).toEqual([]);
  });

  it("refreshes behind the answer once the set is older than maxAge", async () => {
    const set = create({ maxAge: "1m" });
    await kidsOf(set, "a");
    server.answer = remoteSetOf("b");
    clock.advance("59999ms");
    expect(set.find("a", "ES256")).toHaveLength(1);
    expect(server.requests).toHaveLength(1);
    clock.advance("1ms");
    expect(set.find("a", "ES256")).toHaveLength(1);
    await until(() => (set.find("a", "ES256") as readonly unknown[]).length === 0);
    expect(server.requests).toHaveLength(2);
  });

  it("A32 keeps the last good set until staleIfError has passed, then cannot answer", async () => {
    const set = create({ maxAge: "1m", staleIfError: "100s" });
    await kidsOf(set, "a");
    server.answer = (_req, res) => res.writeHead(500).end();
    clock.advance("1m");
    expect(await kidsOf(set, "a")).toEqual(["a"]);
    await until(() => reports.length === 1);
    expect(reports[0]).toMatchObject({
      level: "warn",
      message: expect.stringContaining("the last good set stays in use"),
      details: { reason: "the answer has status 500" },
    });
    clock.advance("99999ms");
    expect(await kidsOf(set, "a")).toEqual(["a"]);
    await until(() => reports.length === 2);
    clock.advance("1ms");
    await expect(kidsOf(set, "a")).rejects.toThrow(CredentialsUnavailableError);
    server.answer = remoteSetOf("a");
    clock.advance("30s");
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
        message: "auth.jwt.jwksUri: the key set could not be fetched; tokens cannot be checked",
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
    clock.set(new Date(clock.now() - 3_600_000));
    server.answer = remoteSetOf("b");
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
    ["a duplicate kid", json(remoteSetOf("a", "a")), /has the kid of another key/],
    ["a secret", json({ keys: [jwkOf(rsa.publicKey), { kty: "oct", k: "AAAA" }] }), /shared secret/],
    ["a private key", json({ keys: [jwkOf(ed25519.privateKey)] }), /private key/],
  ] satisfies [string, Answerer, RegExp][])(
    "A10 A32 does not take %s for a set, and keeps the last good one",
    async (_name, answer, reason) => {
      server.answer = answer;
      await expect(kidsOf(create(), "a")).rejects.toThrow(reason);
      expect(server.requests).toEqual(["/jwks.json?key=hidden"]);
      server.answer = remoteSetOf("a");
      const set = create();
      await kidsOf(set, "a");
      server.answer = answer;
      clock.advance("30s");
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
    clock.advance("500ms");
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
    clock.advance("1m");
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

function parse(material: unknown, algorithms?: string[], kid?: string) {
  return parsePublicKey(material, {
    where: "jwt.publicKey",
    kid,
    algorithms: parseAlgorithms(algorithms, "jwt.algorithms"),
  });
}

function parseSet(keys: unknown[], algorithms?: string[]) {
  const parsed = parseAlgorithms(algorithms, "jwt.algorithms");
  return parseKeySet({ keys }, { where: "jwt.jwks", algorithms: parsed });
}

const base64url = (value: bigint): string => {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex").toString("base64url");
};
const modulus = (key: KeyObject): bigint =>
  BigInt(`0x${Buffer.from(String(jwkOf(key).n), "base64url").toString("hex")}`);
const rsaJwk = (n: bigint, e = 65537n): Jwk => ({ kty: "RSA", n: base64url(n), e: base64url(e) });

/** A number of 2048 bits that lies, modulo every small prime, in the group of 65537. */
function rocaModulus(): bigint {
  const primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89];
  const more = [97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167];
  const m = [...primes, ...more].reduce((product, prime) => product * BigInt(prime), 1n);
  return ((1n << 2047n) / m + 1n) * m + (65537n ** 3n % m);
}

describe("parsePublicKey", () => {
  it.each([
    ["RSA", rsa.publicKey, "RS256"],
    ["P-256", p256.publicKey, "ES256"],
    ["P-384", p384.publicKey, "ES384"],
    ["P-521", p521.publicKey, "ES512"],
    ["Ed25519", ed25519.publicKey, "EdDSA"],
  ])("takes a key of kind %s as PEM and as JWK, with its usual algorithm", async (_name, key, algorithm) => {
    for (const material of [pemOf(key), jwkOf(key)]) {
      const parsed = parse(material, undefined, "k");
      expect(parsed).toMatchObject({ kid: "k", algorithms: [algorithm] });
      expect(await parsed.cryptoKey(algorithm)).toMatchObject({ type: "public", usages: ["verify"] });
    }
  });

  it("takes PKCS #1 and named algorithms", () => {
    const pkcs1 = rsa.publicKey.export({ type: "pkcs1", format: "pem" }).toString();
    expect(parse(pkcs1, ["PS256", "PS512"]).algorithms).toEqual(["PS256", "PS512"]);
    expect(parse(jwkOf(ed25519.publicKey), ["Ed25519"]).algorithms).toEqual(["Ed25519"]);
  });

  it("takes a JWK's own kid and alg where the options have none", () => {
    const jwk = jwkOf(rsa.publicKey, { kid: "own", alg: "PS384", use: "sig", key_ops: ["verify"] });
    expect(parse(jwk)).toMatchObject({ kid: "own", algorithms: ["PS384"] });
    expect(parse(jwk, ["PS384"], "k")).toMatchObject({ kid: "k", algorithms: ["PS384"] });
  });

  it("imports a key once, and answers without a promise from then on", async () => {
    const key = parse(jwkOf(p256.publicKey));
    const [first, second] = [key.cryptoKey("ES256"), key.cryptoKey("ES256")];
    expect(first).toHaveProperty("then");
    expect(second).toBe(first);
    const imported = await first;
    expect(key.cryptoKey("ES256")).toBe(imported);
  });

  it("A04 refuses to serve an algorithm that is not the key's", () => {
    expect(() => parse(jwkOf(rsa.publicKey)).cryptoKey("RS384")).toThrow(/not its own/);
  });

  it.each([
    [
      ["ES384"],
      jwkOf(p256.publicKey),
      /kind P-256, which cannot check ES384; leave `algorithms` out for ES256/,
    ],
    [["ES256", "ES384"], pemOf(p256.publicKey), /cannot check ES384/],
    [["HS256"], pemOf(rsa.publicKey), /kind RSA, which cannot check HS256/],
    [["RS256"], jwkOf(rsa.publicKey, { alg: "PS256" }), /bound to its alg PS256, which cannot check RS256/],
    [["Ed25519"], jwkOf(ed25519.publicKey, { alg: "EdDSA" }), /cannot check Ed25519/],
  ])("A03 A05 refuses algorithms %j that do not fit the key", (algorithms, material, message) => {
    expect(() => parse(material, algorithms)).toThrow(message);
  });

  it.each([
    ["PKCS #8", rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
    ["PKCS #1", rsa.privateKey.export({ type: "pkcs1", format: "pem" }).toString()],
    ["SEC 1", p256.privateKey.export({ type: "sec1", format: "pem" }).toString()],
    ["a JWK", jwkOf(p256.privateKey)],
    ["an RSA JWK", jwkOf(rsa.privateKey)],
  ])("A12 refuses a private key, %s, and names the fix", (_name, material) => {
    expect(() => parse(material)).toThrow(/is a private key; give the public one/);
  });

  it.each([
    ["no PEM", "not a key", /must hold one PEM block/],
    ["two blocks", pemOf(rsa.publicKey) + pemOf(rsa.publicKey), /must hold one PEM block/],
    ["another label", pemOf(rsa.publicKey).replaceAll("PUBLIC KEY", "DATA"), /must hold one PEM block/],
    ["lost line breaks", pemOf(rsa.publicKey).replaceAll("\n", "\\n"), /line breaks lost.*replaceAll/],
    [
      "another curve",
      pemOf(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey),
      /known are RSA/,
    ],
    ["another type", pemOf(generateKeyPairSync("x25519").publicKey), /of type x25519/],
    [
      "RSA-PSS",
      pemOf(generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey),
      /without its PSS parameters/,
    ],
    [
      "1024 bits",
      pemOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey),
      /has 1024 bits and must have at least 2048/,
    ],
  ])("A12 refuses PEM that is %s", (_name, pem, message) => {
    expect(() => parse(pem)).toThrow(TypeError);
    expect(() => parse(pem)).toThrow(message);
  });

  it("takes an X.509 certificate for its key", () => {
    expect(parse(certificate).algorithms).toEqual(["ES256"]);
  });

  it.each([
    ["nothing", undefined, /must be a public key as a JWK/],
    ["null", null, /not null/],
    ["without kty", {}, /without kty/],
    ["with an inherited kty", Object.create({ kty: "RSA" }), /without kty/],
    ["a secret", { kty: "oct", k: "AAAA" }, /give it as `secret`/],
    ["with k", { ...jwkOf(p256.publicKey), k: "AAAA" }, /give it as `secret`/],
    ["with kid 1", jwkOf(p256.publicKey, { kid: 1 }), /kid must be a string of 1 to 256/],
    ["with an empty kid", jwkOf(p256.publicKey, { kid: "" }), /kid must be a string/],
    ["with a long kid", jwkOf(p256.publicKey, { kid: "k".repeat(257) }), /kid must be a string/],
    ["off the curve", jwkOf(p256.publicKey, { y: jwkOf(p256.publicKey).x }), /not a point on the curve/],
    ["of another crv", jwkOf(p256.publicKey, { crv: "P-384" }), /x must be base64url of 48 bytes/],
    ["without y", jwkOf(p256.publicKey, { y: undefined }), /y must be base64url of 32 bytes/],
    [
      "padded",
      jwkOf(ed25519.publicKey, { x: `${String(jwkOf(ed25519.publicKey).x)}=` }),
      /x must be base64url/,
    ],
    ["without n", { kty: "RSA", e: "AQAB" }, /n must be base64url without padding/],
  ])("A12 refuses a JWK that is %s", (_name, jwk, message) => {
    expect(() => parse(jwk)).toThrow(TypeError);
    expect(() => parse(jwk)).toThrow(message);
  });

  it.each([
    ["use", { use: "enc" }, /"use" is not "sig"/],
    ["key_ops", { key_ops: ["encrypt"] }, /"key_ops" lacks "verify"/],
    ["key_ops of another type", { key_ops: "verify" }, /"key_ops" lacks "verify"/],
    ["an unknown alg", { alg: "RSA-OAEP" }, /"alg" that is not supported/],
    ["alg of another kind", { alg: "ES256" }, /"alg" that is not supported/],
    ["alg of another type", { alg: 1 }, /"alg" that is not supported/],
  ])("A11 refuses a JWK that is not for signatures by its %s", (_name, members, message) => {
    expect(() => parse(jwkOf(rsa.publicKey, members))).toThrow(message);
  });

  it.each([
    ["2047 bits", rsaJwk((1n << 2047n) - 1n), /has 2047 bits and must have at least 2048/],
    ["8193 bits", rsaJwk((1n << 8192n) + 1n), /has 8193 bits and may have at most 8192/],
    ["the exponent 1", rsaJwk(modulus(rsa.publicKey), 1n), /public exponent 1; it must be odd/],
    ["an even exponent", rsaJwk(modulus(rsa.publicKey), 4n), /public exponent 4; it must be odd/],
    ["a huge exponent", rsaJwk(modulus(rsa.publicKey), (1n << 64n) + 1n), /exponent of more than 64 bits/],
    ["an even modulus", rsaJwk(modulus(rsa.publicKey) + 1n), /even modulus/],
    ["a ROCA modulus", rsaJwk(rocaModulus()), /ROCA, CVE-2017-15361/],
  ])("A12 refuses an RSA key with %s", (_name, jwk, message) => {
    expect(() => parse(jwk)).toThrow(message);
  });

  it.each([
    ["00".repeat(32)],
    [`01${"00".repeat(31)}`],
    [`01${"00".repeat(30)}80`],
    [`ec${"ff".repeat(30)}7f`],
    ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"],
  ])("A12 refuses the Ed25519 point of small order %s", (hex) => {
    const x = Buffer.from(hex, "hex").toString("base64url");
    expect(() => parse({ kty: "OKP", crv: "Ed25519", x })).toThrow(/point of small order/);
  });
});

describe("parseKeySet", () => {
  it("keeps usable keys in order, each with its own algorithm, and leaves the others out", () => {
    const keys = parseSet([
      jwkOf(rsa.publicKey, { kid: "a" }),
      jwkOf(rsa.publicKey, { kid: "b", use: "enc" }),
      jwkOf(p256.publicKey, { kid: "c", alg: "ES256" }),
      { kty: "OKP", crv: "X25519", x: "AAAA", kid: "d" },
      { kty: "AKP", kid: "e" },
      { kty: "EC", crv: "secp256k1", x: "AAAA", y: "AAAA" },
      jwkOf(ed25519.publicKey),
      jwkOf(p384.publicKey, { alg: "ECDH-ES" }),
    ]);
    expect(keys.map(({ kid, algorithms }) => [kid, ...algorithms])).toEqual([
      ["a", "RS256"],
      ["c", "ES256"],
      [undefined, "EdDSA"],
    ]);
  });

  it("keeps only the keys that the named algorithms suit", () => {
    const set = [jwkOf(rsa.publicKey), jwkOf(p256.publicKey, { alg: "ES256" }), jwkOf(p384.publicKey)];
    const algorithms = (named: string[]): unknown => parseSet(set, named).map((key) => key.algorithms);
    expect(algorithms(["ES256", "ES384"])).toEqual([["ES256"], ["ES384"]]);
    expect(algorithms(["PS256", "PS512"])).toEqual([["PS256", "PS512"]]);
    expect(algorithms(["EdDSA"])).toEqual([]);
  });

  it.each([
    [
      "a duplicate kid",
      [jwkOf(rsa.publicKey, { kid: "a" }), jwkOf(p256.publicKey, { kid: "a" })],
      /keys\[1\] has the kid/,
    ],
    [
      "a duplicate kid on a key that is not used",
      [jwkOf(rsa.publicKey, { kid: "a" }), jwkOf(rsa.publicKey, { kid: "a", use: "enc" })],
      /keys\[1\] has the kid/,
    ],
    [
      "a secret beside RSA",
      [jwkOf(rsa.publicKey), { kty: "oct", k: "AAAA" }],
      /keys\[1\] is a shared secret/,
    ],
    ["private parts", [jwkOf(rsa.publicKey), jwkOf(ed25519.privateKey)], /keys\[1\] is a private key/],
    ["private parts on a key that is not used", [{ kty: "AKP", priv: "AAAA" }], /private key/],
    ["a weak RSA key", [jwkOf(p256.publicKey), rsaJwk(3n ** 600n)], /keys\[1\] has 951 bits/],
    ["a broken key", [{ kty: "RSA", n: 1, e: "AQAB" }], /keys\[0\]\.n must be base64url/],
    ["a key that is null", [null], /keys\[0\] must be a public key/],
  ])("A10 A12 refuses the whole set for %s", (_name, keys, message) => {
    expect(() => parseSet(keys)).toThrow(message);
  });

  it.each([[undefined], [null], ["{}"], [{}], [{ keys: {} }], [Object.create({ keys: [] })]])(
    "refuses %p as a set",
    (set) => {
      expect(() => parseKeySet(set, { where: "jwt.jwks", algorithms: undefined })).toThrow(
        /JWK set, \{ keys/,
      );
    },
  );

  it("refuses a set of more than 100 keys", () => {
    const keys = Array.from({ length: 101 }, () => jwkOf(ed25519.publicKey));
    expect(() => parseSet(keys)).toThrow(/has 101 keys; at most 100 are allowed/);
    expect(parseSet(keys.slice(1))).toHaveLength(100);
  });

  it("makes the same key of a JWK and of Node's own reading", () => {
    const [key] = parseSet([jwkOf(p521.publicKey)]);
    expect(createPublicKey({ key: jwkOf(p521.publicKey), format: "jwk" }).equals(p521.publicKey)).toBe(true);
    expect(key?.algorithms).toEqual(["ES512"]);
  });
});
