import { describe, expect, it } from "@jest/globals";
import { rememberingLookup, sourceCredentials } from "../../../../src/auth/credentials/source-credentials.js";
import { CredentialsUnavailableError } from "../../../../src/errors.js";
import { createFakeClock } from "../../../../src/testing/fake-clock.js";
import type { TokenLookupMemory } from "../../../../src/types/source.js";

const secret = "p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA";
const owner = { sourceName: "hub", service: "orders", clock: createFakeClock() };
const hint = { issuer: "i", keyId: undefined };

describe("sourceCredentials", () => {
  it("gives what a lookup found to tenant and service, whatever it says of them", async () => {
    const found = { issuer: "i", secret, tenant: "other", service: "other" };
    for (const token of [() => found, async () => found]) {
      expect(await sourceCredentials({ token }, owner).findTokenCredentials(hint)).toMatchObject([
        { id: "jwt-1", owner: { tenant: "default", service: "orders" } },
      ]);
    }
  });

  it("compiles an object that comes again only once, so that tokens are recognised", async () => {
    const found = { id: "a", issuer: "i", secret };
    const { findTokenCredentials } = sourceCredentials({ token: () => found }, owner);
    const [first] = await findTokenCredentials(hint);
    expect((await findTokenCredentials(hint))[0]).toBe(first);
  });

  it("A27 leaves out what was found for another issuer", async () => {
    const token = () => ({ issuer: "other", secret });
    expect(await sourceCredentials({ token }, owner).findTokenCredentials(hint)).toEqual([]);
  });

  it.each([undefined, null, "x", 0, [], {}])("C13 gives no credential for the answer %j", async (answer) => {
    const { findTokenCredentials } = sourceCredentials({ token: () => answer }, owner);
    const find = async () => findTokenCredentials(hint);
    if (answer === undefined || Array.isArray(answer)) expect(await find()).toEqual([]);
    else await expect(find()).rejects.toThrow("the lookup token() returned an invalid answer");
  });

  it("names the default issuer, and finds keys of no kind", () => {
    const credentials = sourceCredentials({ token: () => undefined, defaultIssuer: "plaid" }, owner);
    expect(credentials.defaultIssuer).toBe("plaid");
    expect(credentials.findKey("00", "service-key")).toBeUndefined();
    expect(sourceCredentials({ jwt: { issuer: "i", secret } }, owner).defaultIssuer).toBeUndefined();
  });
});

const memory: TokenLookupMemory = { found: "10m", missing: "1m", unknownPerMinute: 9 };

/** A memory over `lookup`, with what it was asked for. */
function memoryOver(lookup: (keyId: string) => unknown) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const { find, noteGenuine } = rememberingLookup(
    ({ keyId }) => {
      asked.push(keyId as string);
      return lookup(keyId as string);
    },
    memory,
    clock,
  );
  return {
    clock,
    asked,
    noteGenuine,
    find: (keyId: string | undefined, network = "a") => find({ issuer: "i", keyId, network }),
  };
}

describe("rememberingLookup", () => {
  it("remembers what was found, as the same object, and for so long", async () => {
    const { clock, asked, find } = memoryOver(async (keyId) => ({ keyId }));
    const first = await find("a");
    clock.advance("599999ms");
    expect(find("a")).toBe(first);
    expect(asked).toEqual(["a"]);
    clock.advance("1ms");
    expect(await find("a")).toEqual({ keyId: "a" });
    expect(asked).toEqual(["a", "a"]);
  });

  it("answers at once where the lookup does", () => {
    const { find } = memoryOver((keyId) => (keyId === "a" ? { keyId } : undefined));
    expect(find("a")).toEqual({ keyId: "a" });
    expect(find("b")).toBeUndefined();
  });

  it("A31 remembers for a shorter time that there is nothing", async () => {
    const { clock, asked, find } = memoryOver(async () => undefined);
    expect(await find("a")).toBeUndefined();
    clock.advance("59999ms");
    expect(find("a")).toBeUndefined();
    clock.advance("1ms");
    expect(await find("a")).toBeUndefined();
    expect(asked).toEqual(["a", "a"]);
  });

  it("A31 asks once for those who wait for the same kid", async () => {
    const { asked, find } = memoryOver(async (keyId) => ({ keyId }));
    const all = await Promise.all([find("a"), find("a"), find("a")]);
    expect(new Set(all).size).toBe(1);
    expect(asked).toEqual(["a"]);
  });

  it("A31 rations unknown kids by the minute, and known ones not", async () => {
    const { clock, asked, find } = memoryOver(async (keyId) => (keyId === "good" ? {} : undefined));
    await find("good");
    for (const keyId of ["x1", "x2"]) expect(await find(keyId)).toBeUndefined();
    expect(() => find("x3")).toThrow(CredentialsUnavailableError);
    expect(() => find("x4")).toThrow("more than 3 unknown keys a minute");
    clock.advance("59999ms");
    expect(() => find("x5")).toThrow(CredentialsUnavailableError);
    clock.advance("1ms");
    expect(await find("x5")).toBeUndefined();
    clock.advance("9m");
    for (const keyId of ["y1", "y2", "y3"]) await find(keyId);
    expect(() => find("y4")).toThrow(CredentialsUnavailableError);
    expect(await find("good")).toEqual({});
    expect(asked.filter((keyId) => keyId === "good")).toHaveLength(2);
  });

  it("A31 gives one address a third of the ration", async () => {
    const { find } = memoryOver(async () => undefined);
    for (const keyId of ["a1", "a2", "a3"]) await find(keyId, "a");
    expect(() => find("a4", "a")).toThrow(
      "tokens from one address name more than 3 unknown keys a minute; no more are looked up for it",
    );
    expect(await find("b1", "b")).toBeUndefined();
  });

  it("A31 keeps a third of the ration for addresses that have sent a genuine delivery", async () => {
    const { clock, find, noteGenuine } = memoryOver(async () => undefined);
    noteGenuine("good");
    for (const network of ["a", "b", "c", "d", "e", "f"]) await find(`of ${network}`, network);
    expect(() => find("of g", "g")).toThrow("tokens name more than 6 unknown keys a minute");
    for (const keyId of ["k1", "k2", "k3"]) expect(await find(keyId, "good")).toBeUndefined();
    expect(() => find("k4", "good")).toThrow(CredentialsUnavailableError);
    clock.advance("1m");
    expect(await find("of g", "g")).toBeUndefined();
  });

  it("counts a kid that is not found any more among the unknown", async () => {
    let found: object | undefined = {};
    const { clock, find } = memoryOver(async () => found);
    await find("a");
    found = undefined;
    clock.advance("10m");
    await find("a");
    clock.advance("1m");
    for (const keyId of ["b", "c", "d"]) await find(keyId);
    expect(() => find("a")).toThrow(CredentialsUnavailableError);
  });

  it("goes on with a clock that was set back", async () => {
    const { clock, find } = memoryOver(async () => undefined);
    for (const keyId of ["a", "b", "c"]) await find(keyId);
    expect(() => find("d")).toThrow(CredentialsUnavailableError);
    clock.set(new Date(clock.now() - 3_600_000));
    expect(await find("d")).toBeUndefined();
  });

  it("C13 remembers no failure", async () => {
    let down = true;
    const { asked, find } = memoryOver(async () => {
      if (down) throw new Error("down");
      return {};
    });
    await expect(find("a")).rejects.toThrow("down");
    down = false;
    expect(await find("a")).toEqual({});
    expect(asked).toEqual(["a", "a"]);
  });

  it("C13 asks again where a lookup never answers, and takes no notice of its late end", async () => {
    const answers: ((found: unknown) => void)[] = [];
    const { clock, asked, find } = memoryOver(() => new Promise((resolve) => void answers.push(resolve)));
    const lost = find("a");
    clock.advance("29999ms");
    expect(find("a")).toBe(lost);
    clock.advance("1ms");
    const second = find("a");
    expect(second).not.toBe(lost);
    answers[0]?.({ late: true });
    await lost;
    expect(asked).toEqual(["a", "a"]);
    answers[1]?.({ late: false });
    expect(await second).toEqual({ late: false });
    expect(find("a")).toEqual({ late: false });
  });

  it("A09 asks for nothing where a token names no kid", () => {
    const { asked, find } = memoryOver(() => ({}));
    expect(find(undefined)).toBeUndefined();
    expect(asked).toEqual([]);
  });
});
