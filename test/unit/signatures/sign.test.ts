import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { signBody, signedDelivery } from "../../../src/signatures/sign.js";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import { parsePublicKeys, parseSecrets } from "../../../src/signatures/signing-keys.js";
import type { HeaderScheme, SignatureVariant } from "../../../src/types/signature.js";
import type { Source, SourceAuth } from "../../../src/types/source.js";
import { tokenGate } from "../../support/token-source.js";

const secret = "f0d1c2b3a495867768594a3b2c1d0e0f";
const nowMs = 1_767_225_600_123;
const keys = parseSecrets(secret, "secret");

const sourceOf = (members: Partial<Source>): Source => ({
  name: "hub",
  bodies: ["json"],
  headers: [],
  events: () => [],
  deadline: "1s",
  ...members,
});

const hmac: SignatureVariant = { label: "", algorithm: "hmac-sha256", keys };
const scheme = (changes: Partial<HeaderScheme> = {}): HeaderScheme => ({
  kind: "header",
  headers: [{ signature: "x-signature" }],
  variants: [hmac],
  encoding: "hex",
  signed: "{body}",
  ...changes,
});

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const edwards = generateKeyPairSync("ed25519");
const pem = (key: typeof ec.publicKey) => key.export({ format: "pem", type: "spki" }).toString();
const publicVariant = (
  algorithm: "ed25519" | "ecdsa-p256-sha256" | "rsa-sha256",
  key: typeof ec.publicKey,
) => ({
  label: "",
  algorithm,
  keys: parsePublicKeys(pem(key), "publicKey", algorithm),
});

const time = { timestamp: "x-time", signature: "x-signature" };
const stamped = { headers: [time], signed: "{timestamp}.{body}", tolerance: "1s" } as const;
const publicUrl = "https://hooks.example.com";

describe("a signature that a scheme describes", () => {
  it.each<[string, HeaderScheme, object?]>([
    ["a bare signature", scheme()],
    ["a prefix", scheme({ variants: [{ ...hmac, label: "sha256=" }] })],
    ["SHA-1", scheme({ variants: [{ ...hmac, algorithm: "hmac-sha1" }] })],
    ["SHA-384", scheme({ variants: [{ ...hmac, algorithm: "hmac-sha384" }] })],
    [
      "SHA-512 in base64url",
      scheme({ variants: [{ ...hmac, algorithm: "hmac-sha512" }], encoding: "base64url" }),
    ],
    ["base64", scheme({ encoding: "base64" })],
    ["upper-case hex", scheme({ hexCase: "upper" })],
    ["a timestamp in seconds", scheme(stamped)],
    ["a timestamp in milliseconds", scheme({ ...stamped, timestampUnit: "milliseconds" })],
    [
      "parts with a timestamp",
      scheme({
        parts: { separator: ",", assign: "=", timestamp: "t" },
        variants: [{ ...hmac, label: "v1" }],
        signed: "{timestamp}.{body}",
        tolerance: "1s",
      }),
    ],
    ["an id", scheme({ headers: [{ signature: "x-signature", id: "x-id" }], signed: "{id}.{body}" })],
    ["method and URL", scheme({ signed: "{method}{url}{body}", publicUrl })],
    ["another header", scheme({ signed: "{header:x-topic}.{body}" }), { headers: { "X-Topic": "a" } }],
    [
      "the content type",
      scheme({ signed: ({ headers, rawBody }) => [headers["content-type"] ?? "", rawBody] }),
    ],
    [
      "one of several forms",
      scheme({
        signed: ({ rawBody }) => ({
          anyOf: [
            ["1", rawBody],
            ["2", rawBody],
          ],
        }),
      }),
    ],
    [
      "Ed25519",
      scheme({ variants: [publicVariant("ed25519", edwards.publicKey)] }),
      { privateKey: edwards.privateKey },
    ],
    [
      "RSA",
      scheme({ variants: [hmac, publicVariant("rsa-sha256", rsa.publicKey)] }),
      { privateKey: rsa.privateKey },
    ],
    [
      "ECDSA",
      scheme({ variants: [publicVariant("ecdsa-p256-sha256", ec.publicKey)] }),
      { privateKey: ec.privateKey },
    ],
    [
      "ECDSA as two numbers",
      scheme({ variants: [publicVariant("ecdsa-p256-sha256", ec.publicKey)], dsaEncoding: "ieee-p1363" }),
      { privateKey: ec.privateKey },
    ],
  ])("is made as it is checked: %s", async (_what, signature, options = {}) => {
    const source = sourceOf({ signature });
    const headers = await signBody(source, "{}", { now: new Date(nowMs), path: "/hooks?a=1", ...options });
    const check = createSignatureGate(signature, "source.signature");
    const ask = (body: string, atMs = nowMs) =>
      check(
        {
          method: "POST",
          url: "/hooks?a=1",
          headers,
          rawHeaders: Object.entries(headers).flat(),
          rawBody: Buffer.from(body),
        },
        atMs,
      );
    expect(await ask("{}")).toHaveProperty("keyId");
    expect(await ask("{} ")).toHaveProperty("code", "ERR_SIGNATURE_INVALID");
    if (signature.tolerance !== undefined) {
      expect(await ask("{}", nowMs + 3_000)).toHaveProperty("fault", "timestamp");
    }
  });

  it("is made now, for a random id, unless told otherwise", async () => {
    const source = sourceOf({
      signature: scheme({
        ...stamped,
        headers: [{ ...time, id: "x-id" }],
        signed: "{id}.{timestamp}.{body}",
      }),
    });
    const beforeSeconds = Math.floor(Date.now() / 1_000);
    const headers = await signBody(source, "{}");
    expect(Number(headers["x-time"])).toBeGreaterThanOrEqual(beforeSeconds);
    expect(headers["x-id"]).toMatch(/^[0-9a-f-]{36}$/);
    const delivery = await signedDelivery(source, { type: "a" }, { body: "{}", headers: { "X-Id": "mine" } });
    expect(delivery.headers["x-id"]).toBe("mine");
    expect(delivery.path).toBe("/");
  });

  it("goes with the headers that are given, before those of the source", async () => {
    const source = sourceOf({
      signature: scheme({ signed: "{header:x-topic}.{body}" }),
      compose: ({ type }) => ({ headers: { "x-topic": type }, contentType: "application/json", body: "{}" }),
    });
    const own = await signedDelivery(source, { type: "a" });
    const given = await signedDelivery(source, { type: "a" }, { headers: { "X-Topic": "b" } });
    expect([own.headers["x-topic"], given.headers["x-topic"]]).toEqual(["a", "b"]);
    expect(own.headers["x-signature"]).not.toBe(given.headers["x-signature"]);
  });

  it("stands under one set of headers, that of a header which is given", async () => {
    const sets = ["a", "b"].map((name) => ({ signature: `${name}-signature`, id: `${name}-id` }));
    const source = sourceOf({
      signature: scheme({ headers: sets, signed: "{id}.{body}" }),
      compose: ({ id }) => ({ headers: { "a-id": id }, contentType: "application/json", body: "{}" }),
    });
    const namesOf = async (headers = {}) =>
      Object.keys((await signedDelivery(source, { type: "t" }, { headers })).headers).sort();
    expect(await namesOf()).toEqual(["a-id", "a-signature"]);
    expect(await namesOf({ "B-Id": "1" })).toEqual(["b-id", "b-signature"]);
  });

  it("says where a delivery cannot be signed", async () => {
    const topic = sourceOf({ signature: scheme({ signed: "{header:x-topic}.{body}" }) });
    await expect(signBody(topic, "{}")).rejects.toThrow("cannot be signed: the header x-topic is missing");
  });
});

describe("a token that a source describes", () => {
  const gateNow = { now: new Date(1_767_225_600_000) };
  const tokens = (auth: SourceAuth): Source => sourceOf({ auth });
  const signed = async (auth: SourceAuth, options = {}) => {
    const source = tokens(auth);
    const headers = await signBody(source, "{}", { ...gateNow, ...options });
    return { source, headers, token: String(headers.authorization).replace(/^\w+ /, "") };
  };
  const taken = { method: "jwt" };

  it.each([
    ["RS256", rsa],
    ["ES256", ec],
    ["EdDSA", edwards],
    ["ES384", generateKeyPairSync("ec", { namedCurve: "P-384" })],
    ["ES512", generateKeyPairSync("ec", { namedCurve: "P-521" })],
  ])("is signed with %s, where the key is such and no algorithm is named", async (alg, pair) => {
    const jwt = { issuer: "hub", publicKey: pem(pair.publicKey) };
    const { source, headers, token } = await signed({ jwt }, { privateKey: pair.privateKey });
    expect(decodeProtectedHeader(token)).toEqual({ alg, typ: "JWT" });
    expect(await tokenGate(source).ask(Object.entries(headers).flat())).toMatchObject(taken);
  });

  it("keeps the credential's rules", async () => {
    const jwt = {
      issuer: "hub",
      secret,
      audience: ["one", "two"],
      typ: "hook+jwt",
      maxLifetime: "5s",
      requiredClaims: ["jti"],
      bodyHashClaim: "hash",
    };
    const { source, headers, token } = await signed({ jwt, claims: (url) => ({ url }) }, { path: "/x" });
    expect(decodeJwt(token)).toMatchObject({ iss: "hub", aud: "one", url: "/x", exp: 1_767_225_605 });
    const gate = tokenGate(source);
    const lines = Object.entries(headers).flat();
    expect(await gate.ask(lines)).toMatchObject(taken);
    expect(await gate.ask(lines, { body: "{} " })).toBe("body");
  });

  it("says what it is told to, and leaves out what it is told to", async () => {
    const jwt = { issuer: "hub", secret, audience: "one" };
    const { source, headers, token } = await signed(
      { jwt },
      { claims: { aud: "other", jti: undefined, more: 1 } },
    );
    expect(decodeJwt(token)).toMatchObject({ aud: "other", more: 1 });
    expect(decodeJwt(token)).not.toHaveProperty("jti");
    expect(await tokenGate(source).ask(Object.entries(headers).flat())).toBe("ERR_TOKEN_INVALID");
  });

  it("is signed with the first credential in use, or the one that is named", async () => {
    const jwt = [
      { id: "gone", issuer: "gone", secret, expiresAt: "2020-01-01T00:00:00Z" },
      { id: "off", issuer: "off", secret, state: "inactive" },
      { id: "on", issuer: "on", secret },
    ];
    expect(decodeJwt((await signed({ jwt })).token).iss).toBe("on");
    expect(decodeJwt((await signed({ jwt }, { keyId: "gone" })).token).iss).toBe("gone");
    const other = (await signed({ jwt }, { keyId: "other" })).token;
    expect([decodeJwt(other).iss, decodeProtectedHeader(other).kid]).toEqual(["on", "other"]);
    await expect(signed({ jwt: jwt.slice(0, 2) })).rejects.toThrow(
      "no JWT credential of this source is in use",
    );
  });

  it("names no issuer where the source's senders name none", async () => {
    const { token } = await signed({ jwt: { issuer: "hub", secret }, defaultIssuer: "hub" });
    expect(decodeJwt(token)).not.toHaveProperty("iss");
  });

  it("stands where the source's senders put it", async () => {
    const jwt = { issuer: "hub", secret };
    const bare = await signed({ jwt, carrier: { header: "x-token" } });
    expect(bare.headers["x-token"]).toMatch(/^ey/);
    const own = await signed({ jwt, carrier: { header: "authorization", scheme: "JWT" } });
    expect(own.headers.authorization).toMatch(/^JWT ey/);
  });
});
