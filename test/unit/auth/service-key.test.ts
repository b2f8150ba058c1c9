import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { checkKey, findCaller, hashKey, parseKeyOptions } from "../../../src/auth/service-key.js";
import { CredentialsUnavailableError, Refusal } from "../../../src/errors.js";
import type {
  CredentialProvider,
  KeyCredential,
  KeyKind,
  MaybePromise,
} from "../../../src/types/credential.js";

const key = "kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0PaU";
const now = Date.parse("2026-03-01T00:00:00Z");

function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "latin1").digest();
}

function credential(over: Partial<KeyCredential> = {}): KeyCredential {
  return {
    kind: "service-key",
    id: "key-1",
    owner: { tenant: "acme", service: "orders", allowIps: [] },
    active: true,
    notBeforeMs: Number.NEGATIVE_INFINITY,
    expiresAtMs: Number.POSITIVE_INFINITY,
    digest: sha256(key),
    ...over,
  };
}

type Find = (digest: string, kind: KeyKind) => MaybePromise<KeyCredential | undefined>;

function source(find: Find): CredentialProvider & { readonly asked: KeyKind[] } {
  const asked: KeyKind[] = [];
  return {
    asked,
    findKey(digest, kind) {
      asked.push(kind);
      return find(digest, kind);
    },
    findTokenCredentials: () => [],
  };
}

function holding(...credentials: readonly KeyCredential[]): ReturnType<typeof source> {
  return source((digest, kind) =>
    credentials.find((c) => c.kind === kind && c.digest.toString("hex") === digest),
  );
}

/** The refusal of a lookup that must be refused. */
async function refused(found: MaybePromise<KeyCredential | Refusal>): Promise<Refusal> {
  const result = await found;
  if (!(result instanceof Refusal)) throw new Error("was let in");
  return result;
}

describe("findCaller", () => {
  it("answers without a promise where the source does", () => {
    const right = credential();
    expect(findCaller(key, ["service-key"], holding(right), now)).toBe(right);
  });

  it("answers later where the source does", async () => {
    const right = credential();
    const found = findCaller(
      key,
      ["service-key"],
      source(() => Promise.resolve(right)),
      now,
    );
    expect(found).toBeInstanceOf(Promise);
    expect(await found).toBe(right);
  });

  it("tries the kinds in their order, also where answers come later", async () => {
    const profile = credential({ kind: "profile-key", owner: { tenant: "acme", allowIps: [] } });
    const sync = holding(profile);
    expect(findCaller(key, ["service-key", "profile-key"], sync, now)).toBe(profile);
    expect(sync.asked).toEqual(["service-key", "profile-key"]);
    const later = source((_digest, kind) => Promise.resolve(kind === "profile-key" ? profile : undefined));
    expect(await findCaller(key, ["service-key", "profile-key"], later, now)).toBe(profile);
    expect(later.asked).toEqual(["service-key", "profile-key"]);
    const mixed = source((_digest, kind) => (kind === "profile-key" ? Promise.resolve(profile) : undefined));
    expect(await findCaller(key, ["service-key", "profile-key"], mixed, now)).toBe(profile);
  });

  it("C05 C07 refuses everything but the exact bytes", async () => {
    const variants = [
      key.slice(0, -1),
      `x${key.slice(1)}`,
      `${key.slice(0, -1)}x`,
      `${key}x`,
      `${key} `,
      ` ${key}`,
      key.toLowerCase(),
      `\u00ef\u00bb\u00bf${key}`,
      "",
      "__proto__",
      "constructor",
      "a".repeat(1_000_000),
    ];
    for (const variant of variants) {
      const refusal = await refused(findCaller(variant, ["service-key"], holding(credential()), now));
      expect(refusal.code).toBe("ERR_KEY_INVALID");
      if (variant !== "") expect(refusal.reason).not.toContain(variant);
    }
  });

  it("C07 refuses a key over 512 bytes, though its first 512 are a key, and says so", async () => {
    const long = "a".repeat(512);
    const right = credential({ digest: sha256(long) });
    expect(findCaller(long, ["service-key"], holding(right), now)).toBe(right);
    const refusal = await refused(findCaller(`${long}a`, ["service-key"], holding(right), now));
    expect(refusal.reason).toBe("the key is longer than 512 bytes");
  });

  it("C08 refuses from the instant of expiry on, and before the instant of beginning", async () => {
    const ending = holding(credential({ expiresAtMs: now }));
    expect(findCaller(key, ["service-key"], ending, now - 1)).not.toBeInstanceOf(Refusal);
    const expired = await refused(findCaller(key, ["service-key"], ending, now));
    expect(expired.code).toBe("ERR_KEY_INVALID");
    expect(expired.reason).toBe(
      'service-key "key-1" of tenant "acme", service "orders" expired at 2026-03-01T00:00:00.000Z',
    );
    const beginning = holding(credential({ notBeforeMs: now }));
    expect(findCaller(key, ["service-key"], beginning, now)).not.toBeInstanceOf(Refusal);
    const early = await refused(findCaller(key, ["service-key"], beginning, now - 1));
    expect(early.reason).toMatch(/is not valid before 2026-03-01T00:00:00.000Z$/);
  });

  it("C08 takes the old and the new key in the overlap, and says which one it was", () => {
    const old = credential({ id: "old", expiresAtMs: now + 1 });
    const fresh = credential({ id: "new", digest: sha256("other") });
    const both = holding(old, fresh);
    expect(findCaller(key, ["service-key"], both, now)).toMatchObject({ id: "old" });
    expect(findCaller("other", ["service-key"], both, now)).toMatchObject({ id: "new" });
  });

  it("C09 refuses an inactive key", async () => {
    const refusal = await refused(
      findCaller(key, ["service-key"], holding(credential({ active: false })), now),
    );
    expect(refusal.code).toBe("ERR_KEY_INVALID");
    expect(refusal.reason).toMatch(/is inactive$/);
  });

  it("names a key of another kind to the operator", async () => {
    const profile = credential({ kind: "profile-key", owner: { tenant: "acme", allowIps: [] } });
    const refusal = await refused(findCaller(key, ["service-key"], holding(profile), now));
    expect(refusal.reason).toBe(
      'profile-key "key-1" of tenant "acme" was sent where a service-key is accepted',
    );
    const both = await refused(findCaller("no", ["service-key", "profile-key"], holding(), now));
    expect(both.reason).toBe("no service-key or profile-key has the value that was sent");
  });

  it("does not ask a slow source for other kinds", async () => {
    const slow = source(() => Promise.resolve(undefined));
    expect((await refused(findCaller(key, ["service-key"], slow, now))).code).toBe("ERR_KEY_INVALID");
    expect(slow.asked).toEqual(["service-key"]);
  });

  it("is not disturbed by a late failure of the question for other kinds", async () => {
    const mixed = source((_d, kind) =>
      kind === "profile-key" ? Promise.reject(new Error("late")) : undefined,
    );
    expect((await refused(findCaller(key, ["service-key"], mixed, now))).code).toBe("ERR_KEY_INVALID");
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("C13 refuses with 503 where the source cannot answer, and with 500 where it breaks", async () => {
    const cause = new CredentialsUnavailableError("the database is away");
    for (const find of [
      () => Promise.reject(cause),
      (): undefined => {
        throw cause;
      },
    ]) {
      const refusal = await refused(findCaller(key, ["service-key"], source(find), now));
      expect([refusal.code, refusal.reason]).toEqual(["ERR_CREDENTIALS_UNAVAILABLE", cause.message]);
    }
    const bug = new Error("canary");
    for (const find of [
      () => Promise.reject(bug),
      (): undefined => {
        throw bug;
      },
    ]) {
      const refusal = await refused(findCaller(key, ["service-key"], source(find), now));
      expect([refusal.code, refusal.cause]).toEqual(["ERR_INTERNAL", bug]);
      expect(refusal.reason).not.toContain("canary");
    }
  });

  it("C13 lets nobody in on an answer that is no credential", async () => {
    const right = credential();
    const answers: unknown[] = [
      null,
      {},
      true,
      "yes",
      { ...right, kind: "profile-key" },
      { ...right, owner: { tenant: "acme", allowIps: [] } },
      { ...right, digest: undefined },
      { ...right, expiresAtMs: Number.NaN },
      { ...right, notBeforeMs: Number.NaN },
    ];
    for (const answer of answers) {
      for (const find of [() => answer, () => Promise.resolve(answer)]) {
        const refusal = await refused(findCaller(key, ["service-key"], source(find as Find), now));
        expect(refusal.code).toBe("ERR_INTERNAL");
      }
    }
  });
});

describe("checkKey", () => {
  it("C01 compares digests once more, so that a source that matches loosely lets nobody in", () => {
    const loose = (digest: Buffer): unknown =>
      checkKey(credential({ digest }), "service-key", hashKey(key), now);
    expect(loose(sha256(`${key}x`))).toMatchObject({ code: "ERR_KEY_INVALID" });
    expect(loose(sha256(key).subarray(0, 31))).toMatchObject({ code: "ERR_KEY_INVALID" });
    expect(loose(Buffer.alloc(0))).toMatchObject({ code: "ERR_KEY_INVALID" });
    expect(loose(sha256(key))).toMatchObject({ id: "key-1" });
  });

  it("I02 escapes what stands in names", () => {
    const refusal = checkKey(credential({ id: "a\nb", active: false }), "service-key", hashKey(key), now);
    expect((refusal as Refusal).reason).toContain('"a\\u000ab"');
  });
});

describe("hashKey", () => {
  it("hashes the bytes that came, one per character", () => {
    expect(hashKey("k\u00ff").digest).toEqual(
      createHash("sha256")
        .update(Buffer.from([0x6b, 0xff]))
        .digest(),
    );
  });
});

const good = "kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0PaU";
const digestOf = createHash("sha256").update(good).digest();

function messageOf(value: unknown): string {
  try {
    parseKeyOptions(value, "keys[0]");
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
  throw new Error("was taken");
}

describe("parseKeyOptions", () => {
  it("keeps the digest of a key, not the key", () => {
    const parsed = parseKeyOptions({ id: "k", key: good }, "keys[0]");
    expect(parsed.digest).toEqual(digestOf);
    expect(JSON.stringify(parsed)).not.toContain(good);
  });

  it("C10 reads a digest in its three spellings", () => {
    const spellings = [
      `sha256:${digestOf.toString("hex")}`,
      digestOf.toString("hex").toUpperCase(),
      digestOf.toString("base64url"),
    ];
    for (const digest of spellings) {
      expect(parseKeyOptions({ id: "k", digest }, "keys[0]").digest).toEqual(digestOf);
    }
  });

  it("refuses what is no digest, also a base64url text with unused bits set", () => {
    const loose = `${digestOf.toString("base64url").slice(0, -1)}_`;
    for (const digest of ["", "sha256:", "sha1:00", digestOf.toString("hex").slice(1), loose, 5, null]) {
      expect(messageOf({ id: "k", digest })).toMatch(/^keys\[0\]\.digest must be the key's SHA-256/);
    }
  });

  it.each([
    ["undefined", undefined, /is undefined: is its environment variable set/],
    ["the text undefined", "undefined", /is the text "undefined": is its environment variable set/],
    ["the text null", "null", /is the text "null"/],
    ["null", null, /must be a string, not null/],
    ["a number", 12345, /must be a string/],
    ["an empty string", "", /is an empty string; make one with: npx hookgate key new/],
    ["whitespace", " ".repeat(40), /holds a space/],
    ["a line end", `${good}\n`, /holds a line end .*trim/],
    ["a tab", `${good}\t`, /holds a control character/],
    ["a comma", `${good},${good}`, /holds a comma/],
    ["letters outside ASCII", `${good}é`, /holds a character outside ASCII/],
    ["31 characters", good.slice(1), /has 31 characters and must have 32 or more; .*insecureShortKey: true/],
    ["513 characters", "a".repeat(513), /has 513 characters and may have at most 512/],
  ])("C02 refuses %s as a key, with the fix, without quoting it", (_name, key, message) => {
    const text = messageOf({ id: "k", key });
    expect(text).toMatch(message);
    expect(text).toMatch(/^keys\[0\]\.key /);
    if (typeof key === "string" && key.length > 10) expect(text).not.toContain(key);
  });

  it("C02 takes a short key by its loud option only", () => {
    expect(parseKeyOptions({ id: "k", key: "short", insecureShortKey: true }, "keys[0]").id).toBe("k");
    expect(messageOf({ id: "k", key: "short", insecureShortKey: "yes" })).toMatch(/must be true or left out/);
    expect(messageOf({ id: "k", key: "", insecureShortKey: true })).toMatch(/empty string/);
    expect(messageOf({ id: "k", key: "undefined", insecureShortKey: true })).toMatch(/environment variable/);
    const digest = digestOf.toString("hex");
    expect(messageOf({ id: "k", digest, insecureShortKey: true })).toMatch(/goes with key/);
  });

  it("refuses a key in the shape of something else", () => {
    expect(messageOf(good)).toMatch(/must be an object such as \{ id: "key-1"/);
    expect(messageOf([])).toMatch(/must be an object/);
    expect(messageOf({ id: "k" })).toMatch(/needs key, or digest/);
    expect(messageOf({ id: "k", key: good, digest: "00" })).toMatch(/has both key and digest/);
    expect(messageOf({ key: good })).toMatch(/id is missing/);
    expect(messageOf({ id: "a\nb", key: good })).toMatch(/id must be 1 to 100 printable/);
    expect(messageOf({ id: "k", key: good, expiresat: "2030" })).toMatch(/did you mean "expiresAt"/);
    expect(messageOf({ id: "k", key: good, expiresAt: "2030-01-01" })).toMatch(/with its zone/);
  });

  it("I09 reads own members only", () => {
    const polluted = Object.create({ key: good, digest: digestOf.toString("hex") }) as object;
    expect(messageOf(Object.assign(polluted, { id: "k" }))).toMatch(/needs key, or digest/);
  });
});
