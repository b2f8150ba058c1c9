/** Who decides; the whole table, with real credentials and real tokens, is walked by test/http/priority.test.ts. */
import { createHash, type webcrypto } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import {
  type Authenticated,
  type AuthPolicy,
  acceptedKinds,
  authenticate,
  credentialInQuery,
  readBareKey,
  readBearer,
  readKey,
  readToken,
} from "../../../src/auth/authenticate.js";
import { VerifiedTokenCache } from "../../../src/auth/jwt/cache.js";
import { Refusal } from "../../../src/errors.js";
import { createTestSigner } from "../../../src/testing/index.js";
import type {
  Credential,
  CredentialProvider,
  KeyCredential,
  Owner,
  TokenCredential,
} from "../../../src/types/credential.js";

const key = "kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0PaU";
const nowMs = Date.parse("2026-03-01T00:00:00Z");
const orders: Owner = { tenant: "acme", service: "orders", allowIps: [] };
const acme: Owner = { tenant: "acme", allowIps: [] };
const signer = await createTestSigner("ES256");

function always(owner: Owner): Omit<Credential, "id"> {
  return {
    owner,
    active: true,
    notBeforeMs: Number.NEGATIVE_INFINITY,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
}

/** A source that knows one key and one issuer, and notes which of the two it is asked for. */
function source(
  kind: KeyCredential["kind"],
  owner: Owner,
): CredentialProvider & { readonly asked: string[] } {
  const asked: string[] = [];
  const digest = createHash("sha256").update(key).digest();
  return {
    asked,
    findKey(hex, wanted) {
      asked.push("key");
      const found = hex === digest.toString("hex") && wanted === kind;
      return found ? { ...always(owner), id: "key-1", kind, digest } : undefined;
    },
    findTokenCredentials() {
      asked.push("token");
      return [tokenCredential(owner)];
    },
  };
}

function tokenCredential(owner: Owner): TokenCredential {
  const policy: TokenCredential["policy"] = {
    issuer: "orders",
    audience: undefined,
    algorithms: ["ES256"],
    maxAgeSeconds: undefined,
    maxLifetimeSeconds: 86_400,
    clockToleranceSeconds: 0,
    requiredClaims: [],
    typ: "jwt",
    bodyHashClaim: undefined,
  };
  const jwk = signer.verification.publicKey as webcrypto.JsonWebKey;
  const importKey = () =>
    crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  const keys = { find: () => [{ kid: undefined, algorithms: ["ES256"], cryptoKey: importKey }] };
  return { ...always(owner), id: "jwt-1", kind: "jwt", policy, keys };
}

const token = () => signer.sign({ iss: "orders", exp: nowMs / 1000 + 60 });

function policyWith(
  credentials: CredentialProvider | undefined,
  over: { readonly acceptsJwt?: boolean; readonly keyKinds?: AuthPolicy["keyKinds"] } = {},
): AuthPolicy {
  const { acceptsJwt = true, keyKinds = ["service-key"] } = over;
  const tokens = acceptsJwt && credentials !== undefined ? new VerifiedTokenCache(credentials) : undefined;
  return { tokens, keyKinds, keyHeader: "key", credentials };
}

async function ask(policy: AuthPolicy, rawHeaders: readonly string[], url = "/"): Promise<unknown> {
  const answer = await authenticate(url, rawHeaders, policy, nowMs);
  return answer instanceof Refusal ? answer.code : (answer as Authenticated).caller;
}

describe("authenticate", () => {
  it("lets anyone in where no credentials are asked for, even with a token in the query", async () => {
    const policy = policyWith(undefined, { acceptsJwt: false, keyKinds: [] });
    expect(await ask(policy, [], "/?access_token=x")).toEqual({ method: "none" });
  });

  it("A29 takes no token that is good for one delivery where nothing remembers its use", async () => {
    const credentials = source("service-key", orders);
    const credential = tokenCredential(orders);
    const once = { ...credential, policy: { ...credential.policy, oneTimeUse: true } };
    const asked = policyWith({ ...credentials, findTokenCredentials: () => [once] });
    const headers = [
      "authorization",
      `Bearer ${await signer.sign({ iss: "orders", exp: nowMs / 1000 + 60, jti: "j" })}`,
    ];
    expect(await ask(asked, headers)).toBe("ERR_INTERNAL");
    expect(await ask({ ...asked, remembersUses: true }, headers)).toMatchObject({ method: "jwt" });
  });

  it("B06 refuses a token in the query before it looks at any header", async () => {
    const credentials = source("service-key", orders);
    expect(await ask(policyWith(credentials), ["key", key], "/?access_token=x")).toBe(
      "ERR_CREDENTIAL_IN_QUERY",
    );
    expect(credentials.asked).toEqual([]);
  });

  it("B06 refuses a key in the query, by the header's name as well, where keys are accepted", async () => {
    const credentials = source("service-key", orders);
    const policy = { ...policyWith(credentials), keyHeader: "x-api-key" };
    for (const url of ["/?key=a", "/?x-api-key=a", "/?a=b&X-API-Key", "/?%6bey=a"]) {
      expect(await ask(policy, ["x-api-key", key], url)).toBe("ERR_CREDENTIAL_IN_QUERY");
    }
    expect(credentials.asked).toEqual([]);
    expect(await ask(policy, ["x-api-key", key], "/?keys=a&b=key")).toMatchObject({ method: "service-key" });
    const tokensOnly = policyWith(source("service-key", orders), { keyKinds: [] });
    expect(await ask(tokensOnly, [], "/?key=a")).toBe("ERR_CREDENTIAL_MISSING");
  });

  it("A35 lets the token decide alone: the key is not looked up, whether the token is right or not", async () => {
    const credentials = source("service-key", orders);
    const bearer = `Bearer ${await token()}`;
    expect(await ask(policyWith(credentials), ["authorization", bearer, "key", key])).toMatchObject({
      method: "jwt",
      service: "orders",
      credentialId: "jwt-1",
    });
    for (const wrong of [bearer.slice(0, -3), "Bearer", "Bearer a.b.c"]) {
      const headers = ["authorization", wrong, "key", key];
      expect(await ask(policyWith(credentials), headers)).toBe("ERR_TOKEN_INVALID");
    }
    expect(credentials.asked).not.toContain("key");
  });

  it("B02 refuses two Authorization lines, and a key header that came twice", async () => {
    const credentials = source("service-key", orders);
    const twice = ["authorization", "Bearer a", "Authorization", "Bearer b"];
    expect(await ask(policyWith(credentials), twice)).toBe("ERR_CREDENTIAL_REPEATED");
    expect(await ask(policyWith(credentials), ["key", key, "key", key])).toBe("ERR_CREDENTIAL_REPEATED");
    expect(credentials.asked).toEqual([]);
  });

  it("ignores the Authorization header where no JWT is accepted", async () => {
    const policy = policyWith(source("service-key", orders), { acceptsJwt: false });
    const headers = ["authorization", "Bearer x", "key", key];
    expect(await ask(policy, headers)).toEqual({
      method: "service-key",
      tenant: "acme",
      service: "orders",
      credentialId: "key-1",
    });
    expect(await ask(policy, ["authorization", "Bearer x"])).toBe("ERR_CREDENTIAL_MISSING");
  });

  it("ignores the key where no key is accepted", async () => {
    const credentials = source("service-key", orders);
    expect(await ask(policyWith(credentials, { keyKinds: [] }), ["key", key])).toBe("ERR_CREDENTIAL_MISSING");
    expect(credentials.asked).toEqual([]);
  });

  it("says what is missing, in which header", async () => {
    const reasons = [true, false].map((acceptsJwt) => {
      const policy = policyWith(source("service-key", orders), { acceptsJwt });
      return (authenticate("/", [], policy, nowMs) as Refusal).reason;
    });
    expect(reasons).toEqual([
      'neither a JWT nor a key was sent; the key header is "key"',
      'no key was sent; the key header is "key"',
    ]);
  });

  it("knows a profile key by its tenant", async () => {
    const policy = policyWith(source("profile-key", acme), { keyKinds: ["profile-key"] });
    const caller = { method: "profile-key", tenant: "acme", credentialId: "key-1" };
    expect(await ask(policy, ["key", key])).toEqual(caller);
  });

  it("C13 lets nobody in by a service key or a JWT that its source gives without a service", async () => {
    const policy = policyWith(source("service-key", acme));
    expect(await ask(policy, ["key", key])).toBe("ERR_INTERNAL");
    expect(await ask(policy, ["authorization", `Bearer ${await token()}`])).toBe("ERR_INTERNAL");
  });

  it("C13 waits for a source that answers later", async () => {
    const now = source("service-key", orders);
    const later: CredentialProvider = { ...now, findKey: async (digest, kind) => now.findKey(digest, kind) };
    expect(await ask(policyWith(later), ["key", key])).toMatchObject({ method: "service-key" });
    expect(await ask(policyWith(later), ["key", "wrong"])).toBe("ERR_KEY_INVALID");
  });
});

describe("authenticate: a JWT in the key header", () => {
  const policy = (
    credentials: CredentialProvider,
    over: Parameters<typeof policyWith>[1] = {},
  ): AuthPolicy => ({
    ...policyWith(credentials, over),
    places: { tokenInKeyHeader: true },
  });

  it("takes three parts between dots for a token", async () => {
    const credentials = source("service-key", orders);
    expect(await ask(policy(credentials), ["Key", await token()])).toMatchObject({ method: "jwt" });
    expect(credentials.asked).not.toContain("key");
  });

  it("A35 never makes a token that does not pass good by trying it as a key", async () => {
    const credentials = source("service-key", orders);
    for (const wrong of [`${await token()}x`, "a.b.c", "..", `${key}..`]) {
      expect(await ask(policy(credentials), ["key", wrong])).toBe("ERR_TOKEN_INVALID");
    }
    expect(credentials.asked).not.toContain("key");
  });

  it("A35 leaves the header unread where a token stands in Authorization", async () => {
    const credentials = source("service-key", orders);
    const good = await token();
    expect(await ask(policy(credentials), ["authorization", "Bearer x", "key", good])).toBe(
      "ERR_TOKEN_INVALID",
    );
    const twice = ["authorization", `Bearer ${good}`, "key", "a", "key", "b"];
    expect(await ask(policy(credentials), twice)).toMatchObject({ method: "jwt" });
  });

  it("takes anything else for a key, where keys are accepted", async () => {
    const credentials = source("service-key", orders);
    expect(await ask(policy(credentials), ["key", key])).toMatchObject({ method: "service-key" });
    expect(await ask(policy(credentials), ["key", "a.b.c.d"])).toBe("ERR_KEY_INVALID");
    expect(await ask(policy(credentials), ["key", "a", "key", "b"])).toBe("ERR_CREDENTIAL_REPEATED");
    expect(await ask(policy(credentials), [])).toBe("ERR_CREDENTIAL_MISSING");
    expect(await ask(policy(credentials, { keyKinds: [] }), ["key", key])).toBe("ERR_CREDENTIAL_MISSING");
  });

  it("sees no token there unless asked to, nor where no JWT is accepted", async () => {
    const credentials = source("service-key", orders);
    expect(await ask(policyWith(credentials), ["key", await token()])).toBe("ERR_KEY_INVALID");
    const keysOnly = policy(credentials, { acceptsJwt: false });
    expect(await ask(keysOnly, ["key", await token()])).toBe("ERR_KEY_INVALID");
    expect(credentials.asked).not.toContain("token");
  });
});

describe("authenticate: a bare key in Authorization", () => {
  const policy = (credentials: CredentialProvider): AuthPolicy => ({
    ...policyWith(credentials),
    places: { keyInAuthorization: true },
  });

  it("takes it for a key, and the key header as well", async () => {
    const credentials = source("service-key", orders);
    for (const header of ["Authorization", "key"]) {
      expect(await ask(policy(credentials), [header, key])).toMatchObject({ method: "service-key" });
      expect(await ask(policy(credentials), [header, "wrong"])).toBe("ERR_KEY_INVALID");
    }
    expect(await ask(policy(credentials), ["authorization", "k\u00e9y"])).toBe("ERR_HEADER_MALFORMED");
    expect(await ask(policyWith(credentials), ["authorization", key])).toBe("ERR_CREDENTIAL_MISSING");
  });

  it("C04 refuses a key in both places, and a repeated one", async () => {
    const credentials = source("service-key", orders);
    const both = ["authorization", key, "key", key];
    expect(await ask(policy(credentials), both)).toBe("ERR_CREDENTIAL_REPEATED");
    expect(await ask(policy(credentials), ["key", key, "key", key])).toBe("ERR_CREDENTIAL_REPEATED");
    expect(credentials.asked).toEqual([]);
  });

  it("A35 lets a JWT decide alone, and leaves other schemes alone", async () => {
    const credentials = source("service-key", orders);
    expect(await ask(policy(credentials), ["authorization", "Bearer x", "key", key])).toBe(
      "ERR_TOKEN_INVALID",
    );
    expect(await ask(policy(credentials), ["authorization", "Bearer", "key", key])).toBe("ERR_TOKEN_INVALID");
    expect(await ask(policy(credentials), ["authorization", `Basic ${key}`])).toBe("ERR_CREDENTIAL_MISSING");
    expect(await ask(policy(credentials), ["authorization", `Basic ${key}`, "key", key])).toMatchObject({
      method: "service-key",
    });
  });
});

describe("authenticate: a source's tokens", () => {
  const policy = (more: Partial<AuthPolicy>): AuthPolicy => ({
    ...policyWith(source("service-key", orders), { keyKinds: [] }),
    ...more,
  });

  it("takes tokens from the carrier alone", async () => {
    const elsewhere = policy({ tokenCarrier: { header: "x-token" } });
    expect(await ask(elsewhere, ["X-Token", await token()])).toMatchObject({ method: "jwt" });
    expect(await ask(elsewhere, ["Authorization", `Bearer ${await token()}`])).toBe("ERR_CREDENTIAL_MISSING");
    expect(await ask(elsewhere, ["x-token", ""])).toBe("ERR_TOKEN_INVALID");
    expect(await ask(elsewhere, ["x-token", "a", "x-token", "b"])).toBe("ERR_CREDENTIAL_REPEATED");
  });

  it("B06 refuses the carrier's parameter in the query, and access_token as ever", async () => {
    const carrier = policy({
      tokenCarrier: { header: "authorization", scheme: "JWT", refusedParameter: "jwt" },
    });
    const headers = ["authorization", `JWT ${await token()}`];
    expect(await ask(carrier, headers, "/?a=b")).toMatchObject({ method: "jwt" });
    for (const url of ["/?jwt=a", "/?access_token=a"]) {
      expect(await ask(carrier, headers, url)).toBe("ERR_CREDENTIAL_IN_QUERY");
    }
    expect(await ask(policy({}), ["authorization", `Bearer ${await token()}`], "/?jwt=a")).toMatchObject({
      method: "jwt",
    });
  });

  it("A28 asks the source's check of every delivery, remembered token or not, and never of a bad one", async () => {
    const checked: unknown[] = [];
    const checking = policy({
      checkToken: (claims, url) => {
        checked.push([claims.iss, url]);
        return url === "/good" ? undefined : "the claims are of another URL";
      },
    });
    const headers = ["authorization", `Bearer ${await token()}`];
    expect(await ask(checking, headers, "/good")).toMatchObject({ method: "jwt" });
    expect(await ask(checking, headers, "/bad")).toBe("ERR_TOKEN_INVALID");
    expect(await ask(checking, headers, "/good")).toMatchObject({ method: "jwt" });
    expect(await ask(checking, ["authorization", "Bearer a.b.c"], "/good")).toBe("ERR_TOKEN_INVALID");
    expect(checked).toEqual([
      ["orders", "/good"],
      ["orders", "/bad"],
      ["orders", "/good"],
    ]);
  });

  it("A34 lets nobody in where the check throws", async () => {
    const throwing = policy({
      checkToken: () => {
        throw new Error("a bug");
      },
    });
    await expect(ask(throwing, ["authorization", `Bearer ${await token()}`])).rejects.toThrow("a bug");
  });
});

function outcome(value: unknown): unknown {
  return value instanceof Refusal ? value.code : value;
}
const bearer = (...lines: string[]) => outcome(readBearer(lines.flatMap((line) => ["Authorization", line])));
const keyIn = (...lines: string[]) =>
  outcome(readKey(["Host", "x", ...lines.flatMap((line) => ["KEY", line])], "key"));

describe("readBearer", () => {
  it("finds no token where there is no Authorization header", () => {
    expect(outcome(readBearer([]))).toBeUndefined();
    expect(outcome(readBearer(["Host", "x", "Authorisation.", "Bearer a"]))).toBeUndefined();
  });

  it.each(["Bearer abc", "bearer abc", "BEARER abc", "bEaReR abc"])(
    "B01 B04 takes the scheme in any case: %s",
    (line) => expect(bearer(line)).toEqual({ token: "abc" }),
  );

  it("B04 takes one space for the separator and hands further ones on with the token, which then is none", () => {
    expect(bearer("Bearer  abc")).toEqual({ token: " abc" });
  });

  it.each([
    "Basic abc",
    "Digest a",
    "Token abc",
    "JWT abc",
    "BearerX abc",
    "Bearer.v2 abc",
    "Bearer_ x",
    "Beare",
    "",
    "abc.def.ghi",
  ])("B01 leaves other schemes alone: %s", (line) => expect(bearer(line)).toBeUndefined());

  it("B02 refuses two lines, also in other case and of other schemes", () => {
    expect(bearer("Bearer a", "Bearer a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(outcome(readBearer(["authorization", "Basic x", "AUTHORIZATION", "Bearer a"]))).toBe(
      "ERR_CREDENTIAL_REPEATED",
    );
  });

  it.each([
    ["Bearer a, Bearer b", "a, Bearer b"],
    ["Bearer a b", "a b"],
    ["Bearer Bearer a", "Bearer a"],
    ['Bearer "a"', '"a"'],
  ])("B03 hands %s on as one token, which is none", (line, token) => expect(bearer(line)).toEqual({ token }));

  it.each(["Bearer,a", "Bearer=a", "Bearer:a", "Bearer(a", "Bearer[a", "Bearer/a", "Bearer@a", "Bearer{a"])(
    "B04 counts %s as a token that is not one",
    (line) => expect(bearer(line)).toBe("ERR_TOKEN_INVALID"),
  );

  it("B05 takes a bare Bearer for a token that is empty", () => {
    expect(bearer("Bearer")).toEqual({ token: "" });
    expect(bearer("Bearer ")).toEqual({ token: "" });
  });

  it("B07 ignores Proxy-Authorization and X-Forwarded-Authorization", () => {
    expect(
      readBearer(["Proxy-Authorization", "Bearer a", "X-Forwarded-Authorization", "Bearer a"]),
    ).toBeUndefined();
  });

  it.each([
    "Bearer\tabc",
    "Bearer\u00a0abc",
    "Bearer ab\u00e9",
    "Bearer a\x00",
    "Basic \u00ff",
    "Bearer a\x7f",
  ])("B04 B08 refuses control and non-ASCII bytes: %j", (line) =>
    expect(bearer(line)).toBe("ERR_HEADER_MALFORMED"),
  );

  it("B09 is not confused by headers named like members of Object.prototype", () => {
    expect(readBearer(["__proto__", "Bearer a", "constructor", "Bearer b"])).toBeUndefined();
  });
});

describe("readKey", () => {
  it("C03 finds no key where the header is absent or empty", () => {
    expect(keyIn()).toBeUndefined();
    expect(keyIn("")).toBeUndefined();
  });

  it("takes the header in any case and the value as it is", () => expect(keyIn("aBc/+=")).toBe("aBc/+="));

  it("C04 refuses a key sent twice, even the same one, and joined ones", () => {
    expect(keyIn("a", "a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(keyIn("", "a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(keyIn("k1, k2")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(keyIn("k1,k2")).toBe("ERR_CREDENTIAL_REPEATED");
  });
});

describe("readBareKey", () => {
  const bare = (...lines: string[]) => {
    const found = readBareKey(lines.flatMap((line) => ["Authorization", line]));
    return found instanceof Refusal ? found.code : found;
  };

  it("takes Authorization as it is where no scheme stands in it", () => {
    expect(bare("aBc/+=.")).toBe("aBc/+=.");
  });

  it("C03 B01 finds no key where the header is absent or empty, or has a scheme with something behind it", () => {
    expect(bare()).toBeUndefined();
    expect(bare("")).toBeUndefined();
    expect(bare("Bearer abc")).toBeUndefined();
    expect(bare("Basic abc")).toBeUndefined();
  });

  it("B02 C04 refuses two lines, joined values, and bytes that no key has", () => {
    expect(bare("a", "a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(bare("k1,k2")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(bare("a\tb")).toBe("ERR_HEADER_MALFORMED");
    expect(bare("k\u00e9y")).toBe("ERR_HEADER_MALFORMED");
  });
});

describe("credentialInQuery", () => {
  const names = ["access_token", "x-api-key"];

  it.each([
    "/?access_token=a",
    "/h?a=b&access_token",
    "/h?access%5Ftoken=a",
    "/h?%61ccess_token=",
    "/?access_token=&x",
    "/?ACCESS_token=&x",
    "/?x-api-key=a&access_token=b",
    "/?a&X-Api-Key=b",
    "/?x%2Dapi-%4Bey",
  ])("B06 sees it in %s", (url) => expect(names).toContain(credentialInQuery(url, names)));

  it.each([
    "/",
    "/access_token=a",
    "/?",
    "/?my_access_token=1",
    "/?a=access_token=b",
    "/?access_tokens=1",
    "/?key=1",
    "/?%=1",
    "/?%zz=1",
  ])("B06 does not see it in %s", (url) => expect(credentialInQuery(url, names)).toBeUndefined());
});

describe("readToken", () => {
  const inHeader = (scheme: string | undefined, ...lines: string[]) =>
    outcome(
      readToken(
        lines.flatMap((line) => ["X-Token", line]),
        { header: "x-token", scheme },
      ),
    );

  it("takes the whole header where there is no scheme, also an empty one", () => {
    expect(inHeader(undefined, "a.b.c")).toEqual({ token: "a.b.c" });
    expect(inHeader(undefined, "Bearer a")).toEqual({ token: "Bearer a" });
    expect(inHeader(undefined, "")).toEqual({ token: "" });
    expect(inHeader(undefined)).toBeUndefined();
  });

  it("B01 B04 B05 takes what stands behind the scheme, in any case of letters", () => {
    expect(inHeader("JWT", "JWT a.b.c")).toEqual({ token: "a.b.c" });
    expect(inHeader("JWT", "jwt a.b.c")).toEqual({ token: "a.b.c" });
    expect(inHeader("JWT", "JWT")).toEqual({ token: "" });
    expect(inHeader("JWT", "JWT=a")).toBe("ERR_TOKEN_INVALID");
    for (const other of ["Bearer a.b.c", "JWTS a", "JW", ""]) expect(inHeader("JWT", other)).toBeUndefined();
  });

  it("B02 B08 refuses two lines, and bytes that no token has", () => {
    expect(inHeader(undefined, "a", "a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(inHeader("JWT", "JWT a", "Bearer b")).toBe("ERR_CREDENTIAL_REPEATED");
    for (const line of ["a\tb", "t\u00f6ken", "a\u0000"])
      expect(inHeader(undefined, line)).toBe("ERR_HEADER_MALFORMED");
  });
});

describe("acceptedKinds", () => {
  it("names JWTs first where they are accepted, and otherwise the keys alone", () => {
    const credentials = source("service-key", orders);
    expect(acceptedKinds(policyWith(credentials))).toEqual(["jwt", "service-key"]);
    expect(acceptedKinds(policyWith(credentials, { acceptsJwt: false, keyKinds: ["profile-key"] }))).toEqual([
      "profile-key",
    ]);
  });
});
