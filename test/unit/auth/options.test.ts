import { describe, expect, it } from "@jest/globals";
import { defineCredentials } from "../../../src/auth/credentials/define.js";
import { resolveAuth } from "../../../src/auth/options.js";
import { systemClock } from "../../../src/lib/clock.js";
import type { SourceAuth } from "../../../src/types/source.js";

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
    [{}, "has no way to authenticate callers"],
    [{ servicekey: key }, 'has no option "servicekey"; did you mean "serviceKey"?'],
    [{ dangerouslyAcceptAnyone: false }, "must be true, without other options of auth"],
    [{ dangerouslyAcceptAnyone: "true" }, "must be true or left out"],
    [{ dangerouslyAcceptAnyone: true, serviceKey: key }, "must be true, without other options of auth"],
    [{ credentials, serviceKey: key }, "mixes two forms"],
    [
      { accept: ["jwt"] },
      "createReceiver.auth.credentials must come from defineCredentials, credentialsFromFile or credentialsFromLookup, not undefined",
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
        expect.objectContaining({
          message: expect.stringContaining(
            `createReceiver.auth.${name} is undefined: is its environment variable set?`,
          ),
          option: `auth.${name}`,
        }),
      );
    },
  );
});

describe("resolveAuth with a source", () => {
  const withSource = (
    auth: unknown,
    { signs = false, own, more = {} }: { signs?: boolean; own?: SourceAuth; more?: object } = {},
  ) =>
    resolveAuth(auth, "createReceiver.auth", {
      ...{ name: "orders", clock: systemClock, ...more },
      source: { name: "hub", auth: own, signs },
    });
  const jwt = { issuer: "hub", secret };

  it("asks for no credential where the source signs and `auth` is left out", () => {
    const { policy, ownsCredentials } = withSource(undefined, { signs: true });
    expect(policy).toMatchObject({ credentials: undefined, tokens: undefined, keyKinds: [] });
    expect(ownsCredentials).toBe(false);
  });

  it("asks for both where the source signs and `auth` is given", () => {
    const { policy } = withSource({ serviceKey: key }, { signs: true });
    expect(policy).toMatchObject({ keyKinds: ["service-key"], credentials: expect.anything() });
  });

  it.each([undefined, null, {}])("C02 refuses auth %j of a source that proves nothing", (auth) => {
    expect(() => withSource(auth)).toThrow("or a `source` that signs");
  });

  it("C02 refuses null, also of a source that signs", () => {
    expect(() => withSource(null, { signs: true })).toThrow("createReceiver.auth is missing");
  });

  it("takes the source's own tokens, of one service named after the receiver, and no key", () => {
    const carrier = { header: "x-token" };
    const { policy, ownsCredentials } = withSource(undefined, { own: { jwt, carrier }, signs: true });
    expect(policy).toMatchObject({ tokens: expect.anything(), keyKinds: [], tokenCarrier: carrier });
    expect(policy.credentials?.findTokenCredentials({ issuer: "hub", keyId: undefined })).toMatchObject([
      { id: "jwt-1", owner: { tenant: "default", service: "orders" } },
    ]);
    expect(ownsCredentials).toBe(true);
  });

  it("hands claims and URL to the source's check; without one there is no fault", () => {
    const check: SourceAuth["check"] = (claims, url) => `${claims.iss} ${url}`;
    const { policy } = withSource(undefined, { own: { jwt, check } });
    expect(policy.checkToken?.({ iss: "hub" }, "/a?b")).toBe("hub /a?b");
    expect(withSource(undefined, { own: { jwt } }).policy.checkToken?.({ iss: "hub" }, "/")).toBeUndefined();
  });

  it.each([null, { serviceKey: key }, { dangerouslyAcceptAnyone: true }])(
    "refuses auth %j beside a source that brings its own",
    (auth) => {
      expect(() => withSource(auth, { own: { jwt } })).toThrow(
        'createReceiver.auth and the source "hub" are both given, and the source brings its own credentials: leave `auth` out',
      );
    },
  );

  it.each<[SourceAuth, string]>([
    [{}, 'the source "hub": auth must have either `jwt` or `token`'],
    [{ jwt, token: () => undefined }, 'the source "hub": auth must have either `jwt` or `token`'],
    [{ jwt: { issuer: "hub", secret: "short" } }, 'the source "hub".jwt.secret has 5 bytes'],
    [{ jwt: [] }, 'the source "hub".jwt is an empty array'],
    [{ jwt: { ...jwt, oneTimeUse: true } }, "needs a receiver with an `inbox`"],
  ])("names the source where its own %j cannot be meant", (own, message) => {
    expect(() => withSource(undefined, { own })).toThrow(message);
  });
});
