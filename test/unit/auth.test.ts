import { describe, expect, it } from "@jest/globals";
import { resolveAuth } from "../../src/auth.js";
import { defineCredentials } from "../../src/credentials/model.js";
import { systemClock } from "../../src/lib/clock.js";

const key = "service-key-of-at-least-32-characters";
const secret = "0123456789abcdef-0123456789-secret";
const credentials = defineCredentials({
  tenants: { t: { services: { s: { serviceKeys: [{ id: "k", key }] } } } },
});
const resolve = (auth: unknown) =>
  resolveAuth(auth, "createReceiver.auth", { name: "orders", clock: systemClock });

describe("resolveAuth", () => {
  it("takes the one-line form and accepts what is given", () => {
    const { policy, ownsCredentials } = resolve({ serviceKey: key });
    expect(policy).toMatchObject({ tokens: undefined, keyKinds: ["service-key"], keyHeader: "key" });
    expect(ownsCredentials).toBe(true);
    expect(resolve({ jwt: { issuer: "i", secret } }).policy).toMatchObject({ keyKinds: [] });
    expect(resolve({ serviceKey: { header: "X-Api-Key", keys: [{ id: "k", key }] } }).policy.keyHeader).toBe(
      "x-api-key",
    );
  });

  it("takes the full form; JWT and service key are accepted unless it says otherwise", () => {
    expect(resolve({ credentials }).policy).toMatchObject({
      keyKinds: ["service-key"],
      tokens: expect.anything(),
    });
    const { policy, ownsCredentials } = resolve({
      credentials,
      accept: ["profile-key", "profile-key"],
      keyHeader: "X-Key",
    });
    expect(policy).toMatchObject({ keyKinds: ["profile-key"], tokens: undefined, keyHeader: "x-key" });
    expect(ownsCredentials).toBe(false);
  });

  it("accepts anyone only where that is said aloud and alone", () => {
    expect(resolve({ dangerouslyAcceptAnyone: true }).policy.credentials).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [undefined, "createReceiver.auth is missing: give `serviceKey`, `jwt` or both"],
    [null, "createReceiver.auth is missing"],
    ["key", "createReceiver.auth must be an object, not a string"],
    [{}, "has nothing to check callers by"],
    [{ servicekey: key }, 'has no option "servicekey"; did you mean "serviceKey"?'],
    [{ dangerouslyAcceptAnyone: false }, "must be true and stand alone"],
    [{ dangerouslyAcceptAnyone: "true" }, "must be true or left out"],
    [{ dangerouslyAcceptAnyone: true, serviceKey: key }, "must be true and stand alone"],
    [{ credentials, serviceKey: key }, "mixes two forms"],
    [
      { accept: ["jwt"] },
      "createReceiver.auth.credentials must come from defineCredentials, credentialsFromFile or credentialsFrom, not undefined",
    ],
    [{ credentials: {} }, "credentials must come from"],
    [
      { credentials, accept: [] },
      'accept must be an array with at least one of "jwt", "service-key", "profile-key", not an empty array',
    ],
    [{ credentials, accept: "jwt" }, "accept must be an array"],
    [{ credentials, accept: ["key"] }, 'accept holds "key"; the kinds of credential are'],
    [{ credentials, keyHeader: "Authorization" }, "keyHeader"],
    [{ credentials, keyHeader: "a b" }, "keyHeader"],
  ])("C02 refuses %j", (auth, message) => expect(() => resolve(auth)).toThrow(message));

  it.each(["serviceKey", "jwt", "credentials"])(
    "C02 refuses %s that stands there and is undefined, as an unset variable leaves it",
    (name) => {
      const others = name === "jwt" ? { serviceKey: key } : { jwt: { issuer: "i", secret } };
      expect(() => resolve({ ...others, [name]: undefined })).toThrow(
        `createReceiver.auth.${name} is undefined: is its environment variable set?`,
      );
    },
  );
});
