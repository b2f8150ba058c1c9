import { beforeEach, describe, expect, it } from "@jest/globals";
import { VerifiedTokenCache } from "../../../../src/auth/jwt/cache.js";
import { parseJwtOptions } from "../../../../src/auth/jwt/options.js";
import { CredentialsUnavailableError, Refusal } from "../../../../src/errors.js";
import { isPromise } from "../../../../src/lib/promises.js";
import { createFakeClock, createTestSigner } from "../../../../src/testing/index.js";
import type {
  CredentialProvider,
  KeySet,
  TokenCredential,
  VerificationKey,
} from "../../../../src/types/credential.js";

const signer = await createTestSigner("HS256");
const clock = createFakeClock();
const owner = { tenant: "t", service: "s", allowIps: [] };
const start = clock.now();
const seconds = start / 1000;

function credential(more: object = {}): TokenCredential {
  const options = { issuer: "orders", clockTolerance: "0s", ...signer.verification, ...more };
  return parseJwtOptions(options, "jwt", { owner, defaultId: "jwt-1", clock });
}

/** A source that counts how often a key is asked to check a signature. */
class Source implements CredentialProvider {
  list: readonly TokenCredential[] = [];
  checks = 0;
  failing = false;
  later = false;

  hold(...credentials: TokenCredential[]): void {
    this.list = credentials.map((each) => ({ ...each, keys: this.#counted(each.keys) }));
  }

  #counted(keys: KeySet): KeySet {
    const known = new Map<VerificationKey, VerificationKey>();
    const wrap = (key: VerificationKey): VerificationKey => {
      const wrapped = known.get(key) ?? {
        ...key,
        cryptoKey: (name) => {
          this.checks++;
          return key.cryptoKey(name);
        },
      };
      known.set(key, wrapped);
      return wrapped;
    };
    return { find: async (kid, algorithm) => (await keys.find(kid, algorithm)).map(wrap) };
  }

  findKey(): undefined {
    return undefined;
  }

  findTokenCredentials(): readonly TokenCredential[] | Promise<readonly TokenCredential[]> {
    if (this.failing) throw new CredentialsUnavailableError("gone");
    return this.later ? Promise.resolve(this.list) : this.list;
  }
}

const token = await signer.sign({ iss: "orders", iat: seconds, nbf: seconds, exp: seconds + 60, jti: "j" });
let source: Source;
let memory: VerifiedTokenCache;
const verdict = async (atMs = start, text = token) => {
  const verified = await memory.verify(text, atMs);
  return verified instanceof Refusal ? verified.code : "passed";
};

beforeEach(async () => {
  source = new Source();
  source.hold(credential());
  memory = new VerifiedTokenCache(source);
  expect(await verdict()).toBe("passed");
  expect(source.checks).toBe(1);
});

describe("VerifiedTokenCache", () => {
  it("recognises a token that passed, without another signature check", async () => {
    expect([await verdict(), await verdict(start + 59_999), source.checks]).toEqual(["passed", "passed", 1]);
  });

  it("answers without a promise where source and key set have none", async () => {
    const plain = credential();
    const direct = new VerifiedTokenCache({ findKey: () => undefined, findTokenCredentials: () => [plain] });
    await direct.verify(token, start);
    expect(isPromise(direct.verify(token, start))).toBe(false);
  });

  it("asks a source that answers later each time", async () => {
    source.later = true;
    expect([await verdict(), source.checks]).toEqual(["passed", 1]);
    source.hold();
    expect(await verdict()).toBe("ERR_TOKEN_INVALID");
  });

  it("A24 honours exp to the millisecond", async () => {
    expect([await verdict(start + 59_999), await verdict(start + 60_000)]).toEqual([
      "passed",
      "ERR_TOKEN_INVALID",
    ]);
  });

  it("A25 honours nbf and iat where the clock was set back", async () => {
    expect([await verdict(start - 1000), await verdict(start)]).toEqual(["ERR_TOKEN_INVALID", "passed"]);
  });

  it("A25 honours maxAge", async () => {
    source.hold(credential({ maxAge: "30s" }));
    expect([await verdict(start + 29_999), await verdict(start + 30_000)]).toEqual([
      "passed",
      "ERR_TOKEN_INVALID",
    ]);
  });

  it("C08 honours the credential's expiresAt and notBefore", async () => {
    source.hold(credential({ notBefore: new Date(start), expiresAt: new Date(start + 10_000) }));
    expect([await verdict(start + 9_999), await verdict(start + 10_000), await verdict(start - 1)]).toEqual([
      "passed",
      "ERR_TOKEN_INVALID",
      "ERR_TOKEN_INVALID",
    ]);
  });

  it("A30 honours deactivation at once", async () => {
    source.hold(credential({ state: "inactive" }));
    expect(await verdict()).toBe("ERR_TOKEN_INVALID");
  });

  it("A30 honours revocation of the credential at once", async () => {
    source.hold();
    expect(await verdict()).toBe("ERR_TOKEN_INVALID");
  });

  it("A33 honours rotation: another key under the same issuer means another check", async () => {
    const other = await createTestSigner("HS256");
    source.hold(credential(other.verification));
    expect(await verdict()).toBe("ERR_TOKEN_INVALID");
    source.hold(credential(other.verification), credential({ id: "jwt-2" }));
    expect(await verdict()).toBe("passed");
  });

  it("A33 honours a key set that no longer has the key", async () => {
    const keys = { current: await credential().keys.find(undefined, "HS256") };
    const held: TokenCredential = { ...credential(), keys: { find: async () => keys.current } };
    source.list = [held];
    expect(await verdict()).toBe("passed");
    keys.current = [];
    expect(await verdict()).toBe("ERR_TOKEN_INVALID");
  });

  it("C13 refuses with 503 where the source cannot answer, and recovers", async () => {
    source.failing = true;
    expect(await verdict()).toBe("ERR_CREDENTIALS_UNAVAILABLE");
    source.failing = false;
    expect(await verdict()).toBe("passed");
    source.later = true;
    source.findTokenCredentials = () => Promise.reject(new CredentialsUnavailableError("gone"));
    expect(await verdict()).toBe("ERR_CREDENTIALS_UNAVAILABLE");
  });

  it("A02 recognises the whole token only", async () => {
    const other = token.endsWith("A") ? "E" : "A";
    expect(await verdict(start, `${token.slice(0, -1)}${other}`)).toBe("ERR_TOKEN_INVALID");
    expect(await verdict(start, `${token}.`)).toBe("ERR_TOKEN_INVALID");
  });

  it("shares claims that nobody can change", async () => {
    const verified = await memory.verify(token, start);
    if (verified instanceof Refusal) throw verified.toError();
    expect(() => Object.assign(verified.claims, { iss: "other" })).toThrow(TypeError);
  });
});
