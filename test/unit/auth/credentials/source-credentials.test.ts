import { describe, expect, it } from "@jest/globals";
import { sourceCredentials } from "../../../../src/auth/credentials/source-credentials.js";
import { createFakeClock } from "../../../../src/testing/fake-clock.js";

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
    else await expect(find()).rejects.toThrow("the lookup token() returned what cannot be used");
  });

  it("names the default issuer, and finds keys of no kind", () => {
    const credentials = sourceCredentials({ token: () => undefined, defaultIssuer: "plaid" }, owner);
    expect(credentials.defaultIssuer).toBe("plaid");
    expect(credentials.findKey("00", "service-key")).toBeUndefined();
    expect(sourceCredentials({ jwt: { issuer: "i", secret } }, owner).defaultIssuer).toBeUndefined();
  });
});
