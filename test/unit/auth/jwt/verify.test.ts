import { constants, createHash, randomBytes, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it, jest } from "@jest/globals";
import { parseJwtOptions } from "../../../../src/auth/jwt/options.js";
import {
  bodyHashMatches,
  tokenUse,
  type VerifiedToken,
  verifyToken,
} from "../../../../src/auth/jwt/verify.js";
import { CredentialsUnavailableError, Refusal } from "../../../../src/errors.js";
import { systemClock } from "../../../../src/lib/clock.js";
import type { CredentialProvider, KeySet, TokenCredential } from "../../../../src/types/credential.js";
import { ed25519, jwkOf, p256, p384, p521, rsa } from "../../keys/keys.js";
import { signHs, signWith } from "./token-builder.js";

const nowMs = 1_767_225_600_000;
const now = nowMs / 1000;
const owner = { tenant: "t", service: "s", allowIps: [] };
const secret = randomBytes(64);
const claims = { iss: "orders", exp: now + 60 };

function credential(options: Record<string, unknown>, defaultId = "jwt-1"): TokenCredential {
  const full = { issuer: "orders", clockTolerance: "0s", ...options };
  return parseJwtOptions(full, "auth.jwt", { owner, defaultId, clock: systemClock });
}

function sourceOf(credentials: readonly TokenCredential[]): CredentialProvider {
  return {
    findKey: () => undefined,
    findTokenCredentials: ({ issuer }) => credentials.filter(({ policy }) => policy.issuer === issuer),
  };
}

async function outcome(token: string, ...credentials: TokenCredential[]): Promise<string> {
  const result = await verifyToken(token, sourceOf(credentials), nowMs);
  return result instanceof Refusal ? `${result.code}: ${result.reason}` : "accepted";
}

interface Vectors {
  now: number;
  issuer: string;
  audience: string;
  profiles: Record<string, { algorithms: string[]; kid: string; secretHex?: string; publicJwk?: object }>;
  cases: { id: string; name: string; profile: string; token: string; expect: string; maxMs?: number }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../vectors/jwt-attacks.json", import.meta.url), "utf8"),
) as Vectors;

describe("the tokens of jwt-attacks.json", () => {
  const byProfile = new Map(
    Object.entries(vectors.profiles).map(([name, { secretHex, publicJwk, ...profile }]) => [
      name,
      credential({
        ...profile,
        issuer: vectors.issuer,
        audience: vectors.audience,
        ...(secretHex === undefined ? { publicKey: publicJwk } : { secret: Buffer.from(secretHex, "hex") }),
      }),
    ]),
  );

  it.each(vectors.cases.map((entry) => [entry.id, entry.name, entry] as const))(
    "%s %s comes out as expected",
    async (_id, _name, { profile, token, expect: expected }) => {
      const source = sourceOf([byProfile.get(profile) as TokenCredential]);
      const result = await verifyToken(token, source, vectors.now * 1000);
      if (expected === "accept") expect(result).not.toBeInstanceOf(Refusal);
      else expect(result).toMatchObject({ code: "ERR_TOKEN_INVALID" });
    },
  );

  it("A18 refuses JWE and oversized tokens at once: no promise, so no key was touched", () => {
    const source = sourceOf([...byProfile.values()]);
    for (const { token } of vectors.cases.filter(({ id }) => ["J227", "J229", "J230"].includes(id))) {
      expect(verifyToken(token, source, nowMs)).toBeInstanceOf(Refusal);
    }
  });
});

describe("verifyToken", () => {
  it.each([
    ["HS256", "sha256"],
    ["HS384", "sha384"],
    ["HS512", "sha512"],
  ])("accepts %s", async (alg, hash) => {
    const token = signHs({ alg, typ: "JWT" }, claims, secret, hash);
    expect(await outcome(token, credential({ secret, algorithms: [alg] }))).toBe("accepted");
  });

  it.each([
    ["RS256", rsa, "sha256", constants.RSA_PKCS1_PADDING],
    ["RS384", rsa, "sha384", constants.RSA_PKCS1_PADDING],
    ["RS512", rsa, "sha512", constants.RSA_PKCS1_PADDING],
    ["PS256", rsa, "sha256", constants.RSA_PKCS1_PSS_PADDING],
    ["PS384", rsa, "sha384", constants.RSA_PKCS1_PSS_PADDING],
    ["PS512", rsa, "sha512", constants.RSA_PKCS1_PSS_PADDING],
    ["ES256", p256, "sha256", undefined],
    ["ES384", p384, "sha384", undefined],
    ["ES512", p521, "sha512", undefined],
    ["EdDSA", ed25519, undefined, undefined],
    ["Ed25519", ed25519, undefined, undefined],
  ] as const)("accepts %s, and refuses it with an edited payload", async (alg, pair, hash, padding) => {
    // OpenSSL's default salt is the longest possible; JWS wants the hash's length (RFC 7518 section 3.5).
    const key = pair.privateKey;
    const saltLength =
      padding === constants.RSA_PKCS1_PSS_PADDING ? constants.RSA_PSS_SALTLEN_DIGEST : undefined;
    const token = signWith({ alg }, claims, key, {
      hash,
      ...(padding && { padding }),
      ...(saltLength && { saltLength }),
    });
    const checks = credential({ publicKey: jwkOf(pair.publicKey), algorithms: [alg] });
    expect(await outcome(token, checks)).toBe("accepted");
    const [head, , signature] = token.split(".");
    const edited = Buffer.from(JSON.stringify({ ...claims, admin: true })).toString("base64url");
    expect(await outcome(`${head}.${edited}.${signature}`, checks)).toContain("signature does not verify");
  });

  it("says whose token it is, and until when that stands", async () => {
    const checks = credential({ id: "main", secret, expiresAt: new Date(nowMs + 30_000) });
    const token = signHs({ alg: "HS256", kid: "main" }, { ...claims, role: "r" }, secret);
    expect(await verifyToken(token, sourceOf([checks]), nowMs)).toEqual({
      credential: checks,
      claims: { ...claims, role: "r" },
      key: (await checks.keys.find("main", "HS256"))[0],
      keyId: "main",
      algorithm: "HS256",
      notBeforeMs: Number.NEGATIVE_INFINITY,
      expiresAtMs: nowMs + 30_000,
    });
    const endless = credential({ id: "main", secret, clockTolerance: "7s" });
    const verified = (await verifyToken(token, sourceOf([endless]), nowMs)) as VerifiedToken;
    expect(verified.expiresAtMs).toBe(nowMs + 67_000);
  });

  it.each([
    ["r and s zero", () => Buffer.alloc(64)],
    ["s zero", (signature: Buffer) => Buffer.concat([signature.subarray(0, 32), Buffer.alloc(32)])],
    ["r zero", (signature: Buffer) => Buffer.concat([Buffer.alloc(32), signature.subarray(32)])],
    ["r and s the order", () => Buffer.concat([order, order])],
    ["s the order", (signature: Buffer) => Buffer.concat([signature.subarray(0, 32), order])],
    ["r and s beyond the order", () => Buffer.alloc(64, 0xff)],
    ["a byte missing", (signature: Buffer) => signature.subarray(0, 63)],
    ["a byte more", (signature: Buffer) => Buffer.concat([signature, Buffer.alloc(1)])],
    ["a zero before r and before s", (signature: Buffer) => padded(signature)],
    ["DER", (signature: Buffer) => der(signature)],
  ])("A14 refuses an ES256 signature with %s", async (_name, alter) => {
    const checks = credential({ publicKey: jwkOf(p256.publicKey) });
    const token = signWith({ alg: "ES256" }, claims, p256.privateKey, { hash: "sha256", alter });
    expect(await outcome(token, checks)).toContain("ERR_TOKEN_INVALID: the signature does not verify");
  });

  it("A08 A09 gives a token with a kid exactly that key", async () => {
    const other = randomBytes(32);
    const both = [credential({ id: "a", secret }), credential({ id: "b", secret: other, kid: "k" })];
    expect(await outcome(signHs({ alg: "HS256", kid: "a" }, claims, secret), ...both)).toBe("accepted");
    expect(await outcome(signHs({ alg: "HS256", kid: "k" }, claims, other), ...both)).toBe("accepted");
    expect(await outcome(signHs({ alg: "HS256", kid: "k" }, claims, secret), ...both)).toContain("signature");
    for (const kid of ["b", "A", "a ", "__proto__", "constructor", "../a", "' OR 1=1--", "\u0000"]) {
      const reason = await outcome(signHs({ alg: "HS256", kid }, claims, secret), ...both);
      expect(reason).toContain("which no usable key of its issuer has");
    }
  });

  it("says how to name a key where a credential has neither id nor kid", async () => {
    const reason = await outcome(signHs({ alg: "HS256", kid: "x" }, claims, secret), credential({ secret }));
    expect(reason).toContain('the token names kid "x"');
    expect(reason).toContain("set `kid` (or `id`)");
  });

  it("A09 tries at most four keys for a token without kid, then stops", async () => {
    const credentials = Array.from({ length: 6 }, (_, index) => {
      const key = index === 4 ? secret : randomBytes(32);
      return credential({ id: `c${index}`, secret: key });
    });
    const token = signHs({ alg: "HS256" }, claims, secret);
    expect(await outcome(token, ...credentials)).toContain("none of the first 4 keys");
    expect(await outcome(token, ...credentials.slice(1))).toBe("accepted");
  });

  it("judges state and lifetime of the credential before any key, to the millisecond", async () => {
    const token = signHs({ alg: "HS256" }, claims, secret);
    const at = (ms: number): Date => new Date(nowMs + ms);
    expect(await outcome(token, credential({ secret, state: "inactive" }))).toContain("it is inactive");
    expect(await outcome(token, credential({ secret, notBefore: at(1) }))).toContain(
      "notBefore has not come",
    );
    expect(await outcome(token, credential({ secret, notBefore: at(0) }))).toBe("accepted");
    expect(await outcome(token, credential({ secret, expiresAt: at(0) }))).toContain("expiresAt has passed");
    expect(await outcome(token, credential({ secret, expiresAt: at(1) }))).toBe("accepted");
  });

  it("names the fault of each credential, four at most, and beside an unknown kid", async () => {
    const off = Array.from({ length: 5 }, (_, i) => credential({ id: `c${i}`, secret, state: "inactive" }));
    const reason = await outcome(signHs({ alg: "HS256" }, claims, secret), ...off);
    expect(reason.match(/credential "c\d": it is inactive/g)).toHaveLength(4);
    const mixed = [credential({ id: "old", secret, state: "inactive" }), credential({ id: "new", secret })];
    const unknown = await outcome(signHs({ alg: "HS256", kid: "old" }, claims, secret), ...mixed);
    expect(unknown).toMatch(/names kid "old".*credential "old": it is inactive/);
  });

  it("A27 refuses a token without a usable iss, or of an unknown issuer", async () => {
    const checks = credential({ secret });
    for (const iss of [undefined, null, ["orders"], {}, 1]) {
      const token = signHs({ alg: "HS256" }, { ...claims, iss }, secret);
      expect(await outcome(token, checks)).toContain("iss is missing or not a string");
    }
    const foreign = signHs({ alg: "HS256" }, { ...claims, iss: "e\nvil" }, secret);
    expect(await outcome(foreign, checks)).toContain('no JWT credential has the issuer "e\\u000avil"');
  });

  it("A28 does not trust a source that answers with another issuer's credential", async () => {
    const source = { ...sourceOf([]), findTokenCredentials: () => [credential({ issuer: "other", secret })] };
    const result = await verifyToken(signHs({ alg: "HS256" }, claims, secret), source, nowMs);
    expect(result).toMatchObject({
      code: "ERR_TOKEN_INVALID",
      reason: expect.stringContaining("iss is not"),
    });
  });

  it("tells the source issuer and kid, and takes answers that come later", async () => {
    const find = jest.fn<CredentialProvider["findTokenCredentials"]>(async () => [
      credential({ id: "k", secret }),
    ]);
    const source: CredentialProvider = { findKey: () => undefined, findTokenCredentials: find };
    const token = signHs({ alg: "HS256", kid: "k" }, claims, secret);
    expect(await verifyToken(token, source, nowMs)).not.toBeInstanceOf(Refusal);
    expect(find).toHaveBeenCalledWith({ issuer: "orders", keyId: "k" });
  });

  it("A36 has one code for every cause, and no token text in the reason", async () => {
    const checks = credential({ id: "k", secret });
    const tokens = [
      signHs({ alg: "HS256", kid: "unknown" }, claims, secret),
      signHs({ alg: "HS256", kid: "k" }, claims, randomBytes(32)),
      signHs({ alg: "HS256", kid: "k" }, { ...claims, exp: now - 1, canary: "canary" }, secret),
      "canary",
    ];
    for (const token of tokens) {
      const reason = await outcome(token, checks);
      expect(reason).toMatch(/^ERR_TOKEN_INVALID: /);
      expect(reason).not.toContain("canary");
      expect(reason).not.toContain(token.split(".")[2] ?? token);
    }
  });
});

describe("verifyToken where something else fails", () => {
  const token = signHs({ alg: "HS256" }, claims, secret);
  const unavailable = new CredentialsUnavailableError("the key set could not be fetched");

  function withKeys(find: KeySet["find"], id = "fake"): TokenCredential {
    return { ...credential({ id, secret }), keys: { find } };
  }

  it.each([
    [
      "throws",
      () => {
        throw unavailable;
      },
    ],
    ["rejects", () => Promise.reject(unavailable)],
  ])("refuses with ERR_CREDENTIALS_UNAVAILABLE where the source %s", async (_name, findTokenCredentials) => {
    const source = { findKey: () => undefined, findTokenCredentials };
    expect(await verifyToken(token, source, nowMs)).toMatchObject({
      code: "ERR_CREDENTIALS_UNAVAILABLE",
      reason: "the key set could not be fetched",
    });
  });

  it("A34 refuses with ERR_INTERNAL where the source throws something else", async () => {
    const cause = new Error("unforeseen");
    const source = { findKey: () => undefined, findTokenCredentials: () => Promise.reject(cause) };
    expect(await verifyToken(token, source, nowMs)).toMatchObject({ code: "ERR_INTERNAL", cause });
  });

  it("tries the other credentials where one key set cannot answer, and then says so", async () => {
    const down = withKeys(() => Promise.reject(unavailable), "down");
    expect(await outcome(token, down, credential({ secret }))).toBe("accepted");
    const wrong = credential({ secret: randomBytes(32) });
    expect(await outcome(token, down, down, wrong)).toContain("ERR_CREDENTIALS_UNAVAILABLE");
  });

  it("A34 refuses with ERR_INTERNAL where the import of a key fails", async () => {
    const broken = {
      kid: undefined,
      algorithms: ["HS256"],
      cryptoKey: () => Promise.reject(new Error("import")),
    };
    expect(
      await outcome(
        token,
        withKeys(() => [broken]),
        credential({ secret }),
      ),
    ).toContain("ERR_INTERNAL");
  });

  it("A34 refuses with ERR_INTERNAL where jose throws what is not its own error", async () => {
    const wrongUse = await webcrypto.subtle.importKey(
      "raw",
      secret,
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const key = { kid: undefined, algorithms: ["HS256"], cryptoKey: () => wrongUse };
    expect(
      await outcome(
        token,
        withKeys(() => [key]),
      ),
    ).toContain("ERR_INTERNAL");
  });

  it("A04 passes over a key that does not list the token's algorithm", async () => {
    const cryptoKey = jest.fn<() => Promise<webcrypto.CryptoKey>>();
    const key = { kid: undefined, algorithms: ["HS512"], cryptoKey };
    expect(
      await outcome(
        token,
        withKeys(() => [key]),
      ),
    ).toContain("no key of the issuer checks HS256");
    expect(cryptoKey).not.toHaveBeenCalled();
  });
});

describe("bodyHashMatches", () => {
  const body = Buffer.from('{"a":1}');
  const digest = createHash("sha256").update(body).digest();
  const bound = credential({ secret, bodyHashClaim: "bh" });

  it.each(["hex", "base64url", "base64"] as const)("takes the SHA-256 of the body in %s", (form) => {
    expect(bodyHashMatches(bound, { iss: "orders", bh: digest.toString(form) }, body)).toBe(true);
    expect(bodyHashMatches(bound, { iss: "orders", bh: digest.toString(form) }, Buffer.from("{}"))).toBe(
      false,
    );
  });

  it.each([
    [undefined],
    [null],
    [1],
    [""],
    [digest.toString("hex").toUpperCase()],
    [`${digest.toString("hex")} `],
  ])("refuses the claim %p", (bh) => {
    expect(bodyHashMatches(bound, { iss: "orders", bh }, body)).toBe(false);
  });

  it("is true where the policy binds no body", () => {
    expect(bodyHashMatches(credential({ secret }), { iss: "orders", bh: "x" }, body)).toBe(true);
  });
});

/** The order of P-256. */
const order = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");

function padded(signature: Buffer): Buffer {
  const zero = Buffer.alloc(1);
  return Buffer.concat([zero, signature.subarray(0, 32), zero, signature.subarray(32)]);
}

function der(signature: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([2, 33, 0]), bytes]);
  const numbers = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, numbers.length]), numbers]);
}

describe("verifyToken with a default issuer", () => {
  const unnamed = { exp: now + 60, jti: "t1" };
  const ask = (given: object, defaultIssuer?: string) => {
    const source = { ...sourceOf([credential({ secret })]), defaultIssuer };
    return verifyToken(signHs({ alg: "HS256" }, given, secret, "sha256"), source, nowMs);
  };

  it("takes a token without iss, and gives it the issuer", async () => {
    const verified = (await ask(unnamed, "orders")) as VerifiedToken;
    expect(verified.claims).toEqual({ iss: "orders", ...unnamed });
    expect(Object.isFrozen(verified.claims)).toBe(true);
    const named = (await ask({ ...unnamed, iss: "orders" }, "orders")) as VerifiedToken;
    expect(tokenUse(named.credential, named.claims)).toEqual(tokenUse(verified.credential, verified.claims));
  });

  it.each([null, "", 0, [], ["orders"], "Orders", "orders/"])(
    "A27 refuses the iss %j all the same",
    async (iss) => {
      expect(await ask({ ...unnamed, iss }, "orders")).toMatchObject({ code: "ERR_TOKEN_INVALID" });
    },
  );

  it("A27 refuses a token without iss where there is no default, or another one", async () => {
    expect(await ask(unnamed)).toMatchObject({ reason: "iss is missing or not a string" });
    expect(await ask(unnamed, "others")).toMatchObject({
      reason: 'no JWT credential has the issuer "others"',
    });
  });

  it("A27 refuses it where the source answers with a credential of another issuer", async () => {
    const careless = {
      ...sourceOf([]),
      defaultIssuer: "others",
      findTokenCredentials: () => [credential({ secret })],
    };
    const answer = await verifyToken(signHs({ alg: "HS256" }, unnamed, secret, "sha256"), careless, nowMs);
    expect(answer).toMatchObject({ code: "ERR_TOKEN_INVALID" });
  });
});
