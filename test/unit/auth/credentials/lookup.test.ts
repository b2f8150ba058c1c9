import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { type CredentialLookup, credentialsFromLookup } from "../../../../src/auth/credentials/lookup.js";
import { CredentialsUnavailableError } from "../../../../src/errors.js";
import { createAllowlist } from "../../../../src/ip/allowlist.js";
import { createFakeClock } from "../../../../src/testing/fake-clock.js";

const secret = "p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA";
const digest = createHash("sha256").update("key").digest("hex");
const found = { id: "k", tenant: "acme", service: "orders" };
const token = { ...found, issuer: "i", secret };
const hint = { issuer: "i", keyId: undefined };

/** What a lookup fails with, whether it throws or rejects. */
async function failure(run: () => unknown): Promise<CredentialsUnavailableError> {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(CredentialsUnavailableError);
    return error as CredentialsUnavailableError;
  }
  throw new Error("was answered");
}

function answering(answer: unknown): CredentialLookup {
  return { key: () => answer, token: () => answer } as CredentialLookup;
}

describe("credentialsFromLookup", () => {
  it("hands digest and kind to the lookup, and reads its answer", () => {
    const asked: unknown[] = [];
    const credentials = credentialsFromLookup({
      key(...args) {
        asked.push(args);
        return { ...found, state: "inactive", expiresAt: "2030-01-01T00:00:00Z", allowIps: ["203.0.113.1"] };
      },
    });
    expect(credentials.findKey(digest, "service-key")).toMatchObject({
      kind: "service-key",
      id: "k",
      owner: { tenant: "acme", service: "orders", allowIps: [{ mode: "enforce" }] },
      active: false,
      notBeforeMs: Number.NEGATIVE_INFINITY,
      expiresAtMs: Date.parse("2030-01-01T00:00:00Z"),
      digest: Buffer.from(digest, "hex"),
    });
    expect(asked).toEqual([[digest, "service-key"]]);
    expect(credentials.findTokenCredentials(hint)).toEqual([]);
  });

  it("answers at once where the lookup does, later where it does", async () => {
    const sync = credentialsFromLookup(answering(undefined));
    expect(sync.findKey(digest, "service-key")).toBeUndefined();
    expect(sync.findTokenCredentials(hint)).toEqual([]);
    const later = credentialsFromLookup(answering(Promise.resolve(undefined)));
    expect(await later.findKey(digest, "service-key")).toBeUndefined();
    expect(await later.findTokenCredentials(hint)).toEqual([]);
    const profile = credentialsFromLookup({ key: async () => ({ id: "p", tenant: "acme" }) });
    expect(await profile.findKey(digest, "profile-key")).toMatchObject({ kind: "profile-key", id: "p" });
  });

  it("keeps the lookup's this", () => {
    class Store {
      readonly #row = found;
      key(): typeof found {
        return this.#row;
      }
    }
    expect(credentialsFromLookup(new Store()).findKey(digest, "service-key")).toMatchObject({ id: "k" });
  });

  it("takes one JWT credential or several, and leaves out those of another issuer", async () => {
    expect(credentialsFromLookup({ token: () => token }).findTokenCredentials(hint)).toMatchObject([
      { kind: "jwt", id: "k", owner: { tenant: "acme", service: "orders" } },
    ]);
    const several = credentialsFromLookup({
      token: async () => [token, { ...token, id: "l", issuer: "other" }],
    });
    expect(await several.findTokenCredentials(hint)).toMatchObject([{ id: "k" }]);
  });

  it("compiles the same object once, and again when a member was changed in place", () => {
    const kept = { ...token, state: "active" as "active" | "inactive" };
    const credentials = credentialsFromLookup({ token: () => kept });
    const [first] = credentials.findTokenCredentials(hint) as unknown[];
    const [again] = credentials.findTokenCredentials(hint) as unknown[];
    expect(again).toBe(first);
    kept.state = "inactive";
    expect(credentials.findTokenCredentials(hint)).toMatchObject([{ active: false }]);
  });

  it("does not mistake one object for two keys", () => {
    const credentials = credentialsFromLookup({ key: () => found });
    const other = createHash("sha256").update("other").digest("hex");
    credentials.findKey(digest, "service-key");
    expect(credentials.findKey(other, "service-key")).toMatchObject({ digest: Buffer.from(other, "hex") });
  });

  it("keeps a remote key set for equal answers, and closes it at the end", async () => {
    const credentials = credentialsFromLookup({
      token: () => ({ ...found, issuer: "i", jwksUri: "https://issuer.example/jwks.json" }),
    });
    const [first] = await credentials.findTokenCredentials(hint);
    const [again] = await credentials.findTokenCredentials(hint);
    expect(again?.keys).toBe(first?.keys);
    let closed = false;
    Object.assign(first?.keys as object, {
      close: () => {
        closed = true;
      },
    });
    credentials.close?.();
    expect(closed).toBe(true);
  });

  it("compiles a list once, and takes a shared allowlist as it is", async () => {
    const allowIps = ["203.0.113.0/24"];
    const credentials = credentialsFromLookup({ key: () => ({ ...found, allowIps }) });
    const first = await credentials.findKey(digest, "service-key");
    const again = await credentials.findKey(digest, "service-key");
    expect(first?.owner.allowIps[0]).toBeDefined();
    expect(again?.owner.allowIps[0]).toBe(first?.owner.allowIps[0]);
    const shared = createAllowlist(["203.0.113.0/24"]);
    const sharing = credentialsFromLookup({ key: () => ({ ...found, allowIps: shared }) });
    expect(sharing.findKey(digest, "service-key")).toMatchObject({ owner: { allowIps: [shared] } });
  });

  it.each([
    ["null", null],
    ["true", true],
    ["text", "acme"],
    ["an empty object", {}],
    ["a row without a service", { id: "k", tenant: "acme" }],
    ["a row with an unknown column", { ...found, created: "yesterday" }],
    ["a null instant", { ...found, expiresAt: null }],
    ["a state of somebody's own", { ...found, state: "enabled" }],
    ["a list that is none", { ...found, allowIps: ["everywhere"] }],
  ])("C13 takes %s for a failure", async (_name, answer) => {
    for (const given of [answer, Promise.resolve(answer)]) {
      const credentials = credentialsFromLookup(answering(given));
      const byKey = await failure(() => credentials.findKey(digest, "service-key"));
      expect(byKey.message).toMatch(/^the lookup key\(\) returned an invalid answer: its answer/);
      const byToken = await failure(() => credentials.findTokenCredentials(hint));
      expect(byToken.message).toMatch(/^the lookup token\(\) returned an invalid answer: its answer/);
    }
  });

  it("C13 refuses a profile key with a service, and a weak secret", async () => {
    const profile = await failure(() =>
      credentialsFromLookup({ key: () => found }).findKey(digest, "profile-key"),
    );
    expect(profile.message).toMatch(/service is set, but a profile key belongs to its tenant/);
    const weak = credentialsFromLookup({ token: () => ({ ...token, secret: "short-secret" }) });
    const text = (await failure(() => weak.findTokenCredentials(hint))).message;
    expect(text).toMatch(/secret has 12 bytes/);
    expect(text).not.toContain("short-secret");
  });

  it("C13 fails where the lookup throws or rejects, without its words, and asks again next time", async () => {
    const canary = new Error("select * from keys where secret = 'canary'");
    let calls = 0;
    const fail = (later: boolean) => (): Promise<never> => {
      calls++;
      if (later) return Promise.reject(canary);
      throw canary;
    };
    for (const later of [true, false]) {
      const credentials = credentialsFromLookup({ key: fail(later), token: fail(later) });
      for (const run of [
        () => credentials.findKey(digest, "service-key"),
        () => credentials.findKey(digest, "service-key"),
        () => credentials.findTokenCredentials(hint),
      ]) {
        const error = await failure(run);
        expect(error.message).toMatch(later ? /^the lookup \w+\(\) rejected$/ : /^the lookup \w+\(\) threw$/);
        expect(error.cause).toBe(canary);
      }
    }
    expect(calls).toBe(6);
  });

  it("hands on the lookup's own CredentialsUnavailableError", async () => {
    const own = new CredentialsUnavailableError("the vault is sealed");
    expect(
      await failure(() =>
        credentialsFromLookup({ key: () => Promise.reject(own) }).findKey(digest, "service-key"),
      ),
    ).toBe(own);
  });

  it("C13 fails at the deadline, and is not disturbed by what comes after it", async () => {
    const clock = createFakeClock();
    let reject = (_error: Error): void => {};
    const key = (): Promise<never> =>
      new Promise((_resolve, no) => {
        reject = no;
      });
    const credentials = credentialsFromLookup({ key }, { clock });
    const failing = failure(() => credentials.findKey(digest, "service-key"));
    clock.advance("1999ms");
    expect(clock.pending).toBe(1);
    clock.advance("1ms");
    expect((await failing).message).toBe("the lookup key() did not answer within 2000 ms");
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => {
      unhandled.push(reason);
    };
    process.on("unhandledRejection", note);
    reject(new Error("late"));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  it("leaves no timer behind an answer in time", async () => {
    const clock = createFakeClock();
    const credentials = credentialsFromLookup({ key: async () => found }, { clock, timeout: "5ms" });
    await credentials.findKey(digest, "service-key");
    expect(clock.pending).toBe(0);
  });

  it("refuses to be made of what is no lookup", () => {
    const make = (...args: unknown[]): unknown =>
      (credentialsFromLookup as (...a: unknown[]) => unknown)(...args);
    expect(() => make(undefined)).toThrow(
      /takes an object with the functions key, token or both, not undefined/,
    );
    expect(() => make({})).toThrow(/needs the function key\(digest, kind\), token/);
    expect(() => make({ key: "k" })).toThrow(/key must be a function, not a string/);
    expect(() => make({ key: () => undefined }, { timeout: "0s" })).toThrow(
      /timeout must be a duration such as "10s", from "1ms" to "1m"/,
    );
    expect(() => make({ key: () => undefined }, { timeouts: "5s" })).toThrow(/did you mean "timeout"/);
  });
});
