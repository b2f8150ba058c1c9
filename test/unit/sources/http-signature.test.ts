import { describe, expect, it } from "@jest/globals";
import { type HttpMessageSignaturesOptions, httpMessageSignatures } from "hookgate/http-signature";
import {
  componentsFor,
  type MessageSigning,
  signMessage,
} from "../../../src/signatures/http-message/sign.js";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import type { MessageScheme } from "../../../src/types/signature.js";
import type { ParsedDelivery } from "../../../src/types/source.js";
import { ed25519, jwkOf, p256, p384, pemOf, rsa } from "../keys/keys.js";
import { requestOf, secretKey, wordOf } from "../signatures/signed-request.js";

const publicUrl = "https://hooks.example.com";
const secret = "0123456789abcdefghijklmnopqrstuv";
const key = { id: "partner", algorithm: "ed25519", publicKey: pemOf(ed25519.publicKey) } as const;
const make = (changes: Partial<HttpMessageSignaturesOptions> = {}) =>
  httpMessageSignatures({ keys: [key], publicUrl, ...changes });
const schemeOf = (source: ReturnType<typeof make>) => source.signature as MessageScheme;
const read = (changes: Partial<HttpMessageSignaturesOptions>, delivery: Partial<ParsedDelivery>) =>
  make(changes).events({ body: {}, kind: "json", headers: {}, ...delivery });
const nowMs = 1_700_000_000_000;

/** Signs what a source asks for, and lets it check that. */
function checked(
  source: ReturnType<typeof make>,
  signing: Partial<MessageSigning>,
  headers: Record<string, string> = {},
) {
  const body = '{"type":"a"}';
  const sent = {
    ...headers,
    ...signMessage(
      { method: "POST", url: `${publicUrl}/hooks`, headers, body },
      {
        keyId: "partner",
        algorithm: "ed25519",
        key: ed25519.privateKey,
        components: componentsFor(schemeOf(source), true),
        created: nowMs / 1_000,
        ...signing,
      },
    ),
  };
  const gate = createSignatureGate(schemeOf(source), "source.signature");
  return wordOf(gate(requestOf(sent, body, { url: "/hooks" }), nowMs) as never);
}

describe("httpMessageSignatures", () => {
  it("asks by default for method, authority, path and body, made within five minutes (F09)", () => {
    const source = make();
    expect(schemeOf(source)).toMatchObject({
      required: ["@method", "@authority", "@path"],
      insecureUnsignedBody: false,
      tag: undefined,
      tolerance: "5m",
    });
    expect([source.name, source.bodies, source.headers, source.deadline]).toEqual([
      "http-signature",
      ["json"],
      [],
      "10s",
    ]);
    expect(checked(source, {})).toBe("partner");
    expect(checked(source, { components: ["@method", "@authority", "@path"] })).toBe("malformed");
    expect(checked(source, { components: ["@method", "content-digest", "@path"] })).toBe("malformed");
    expect(checked(source, { created: nowMs / 1_000 - 301 })).toBe("timestamp");
  });

  it("takes keys of every algorithm, by PEM, JWK or secret, each by its keyid", () => {
    const pairs = [
      ["hmac-sha256", { secret }, secretKey(secret).key],
      ["ed25519", { publicKey: jwkOf(ed25519.publicKey, { alg: "EdDSA" }) }, ed25519.privateKey],
      ["ecdsa-p256-sha256", { publicKey: pemOf(p256.publicKey) }, p256.privateKey],
      ["ecdsa-p384-sha384", { publicKey: jwkOf(p384.publicKey, { alg: "ES384" }) }, p384.privateKey],
      ["rsa-v1_5-sha256", { publicKey: pemOf(rsa.publicKey) }, rsa.privateKey],
      ["rsa-pss-sha512", { publicKey: jwkOf(rsa.publicKey, { alg: "PS512" }) }, rsa.privateKey],
    ] as const;
    const source = make({
      keys: pairs.map(([algorithm, material]) => ({ id: `the ${algorithm}`, algorithm, ...material })),
    });
    for (const [algorithm, , signer] of pairs) {
      expect(checked(source, { keyId: `the ${algorithm}`, algorithm, key: signer })).toBe(`the ${algorithm}`);
      expect(checked(source, { keyId: "partner", algorithm, key: signer })).toBe("mismatch");
    }
  });

  it("rotates by several keys with lifetimes of their own (C08)", () => {
    const source = make({
      keys: [
        { ...key, id: "old", expiresAt: new Date(nowMs) },
        { ...key, id: "off", state: "inactive" },
        { ...key, id: "new", notBefore: new Date(nowMs) },
      ],
    });
    expect(["old", "off", "new"].map((keyId) => checked(source, { keyId }))).toEqual([
      "mismatch",
      "mismatch",
      "new",
    ]);
  });

  it("asks for headers that type or id stand in to be signed", () => {
    const source = make({ type: { header: "X-Type" }, id: { header: "x-id" } });
    expect(source.headers).toEqual(["x-type", "x-id"]);
    expect(schemeOf(source).required).toEqual(["@method", "@authority", "@path", "x-type", "x-id"]);
    const headers = { "x-type": "a", "x-id": "1" };
    expect(checked(source, {}, headers)).toBe("partner");
    const without = componentsFor(schemeOf(source), true).filter((component) => component !== "x-id");
    expect(checked(source, { components: without }, headers)).toBe("malformed");
  });

  it("takes other components, a tag and a tolerance as they are given", () => {
    const required = ["@target-uri", '"@query-param";name="tenant"'];
    const source = make({
      required,
      tag: "app",
      tolerance: "1m",
      insecureUnsignedBody: true,
      name: "partners",
    });
    expect(schemeOf(source)).toMatchObject({
      required,
      tag: "app",
      tolerance: "1m",
      insecureUnsignedBody: true,
    });
    expect(source.name).toBe("partners");
    expect(make({ publicUrl: undefined, required: [] }).signature).toMatchObject({
      required: [],
      publicUrl: undefined,
    });
    expect(make({ deadline: "3s" }).deadline).toBe("3s");
  });

  it("reads type, id and data from members or headers", () => {
    const body = { type: "order.paid", id: 7, meta: { kind: "x", key: "k" }, data: { a: 1 } };
    expect(read({}, { body })).toEqual([{ type: "order.paid", id: 7, data: body }]);
    expect(read({ type: "meta.kind", id: "meta.key", data: "data" }, { body })).toEqual([
      { type: "x", id: "k", data: { a: 1 } },
    ]);
    const headers = { "x-type": "h", "x-id": "9" };
    expect(read({ type: { header: "x-type" }, id: { header: "x-id" } }, { headers })).toEqual([
      { type: "h", id: "9", data: {} },
    ]);
    expect(read({ id: "none" }, { body })).toMatchObject([{ id: undefined }]);
  });

  it("says where the type is missing, and finds none in a prototype (G01)", () => {
    expect(read({}, {})).toEqual({
      fault: "the member type of the body holds no text, where the event's type stands",
    });
    expect(read({ type: { header: "x-type" } }, {})).toMatchObject({
      fault: expect.stringContaining("header x-type"),
    });
    for (const body of [null, [], 5, "type", { type: "" }, { type: 5 }, Object.create({ type: "a" })]) {
      expect(read({}, { body })).toHaveProperty("fault");
    }
    expect(read({ type: "constructor.name" }, {})).toHaveProperty("fault");
  });

  it("writes events as it reads them", () => {
    const event = { type: "a", id: "1", data: { x: 1 }, nowMs };
    for (const changes of [
      {},
      { type: "meta.type", id: "meta.id" },
      { type: { header: "x-type" }, id: { header: "x-id" } },
      { data: "data" },
      { type: "data.type", data: "data.inner" },
      { type: "__proto__" },
    ]) {
      const source = make(changes);
      const composed = source.compose?.(event);
      expect(composed?.contentType).toBe("application/json");
      const body = JSON.parse(composed?.body ?? "");
      const found = source.events({ body, kind: "json", headers: composed?.headers ?? {} });
      expect(found).toMatchObject([{ type: "a", id: "1", data: { x: 1 } }]);
    }
    expect(make().compose?.({ ...event, data: undefined })?.body).toBe('{"type":"a","id":"1"}');
  });
});

describe("httpMessageSignatures refuses options that cannot be meant", () => {
  const hmacKey = { id: "a", algorithm: "hmac-sha256", secret } as const;
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ publicUrl: undefined }, /publicUrl is missing: signatures must cover @authority/],
    [{ publicUrl: "hooks.example.com" }, /httpMessageSignatures\.publicUrl must be an origin/],
    [
      { publicUrl: undefined, required: ["@target-uri"] },
      /required\[0\] is @target-uri, which publicUrl alone/,
    ],
    [{ required: "@method" }, /required must be a list/],
    [{ required: Array(33).fill("@method") }, /required must be a list of at most 32/],
    [{ required: ["@status"] }, /required\[0\]: .* belongs to answers/],
    [{ keys: undefined }, /keys must be a list of 1 to 10 keys/],
    [{ keys: [] }, /keys must be a list/],
    [{ keys: Array(11).fill(key) }, /keys must be a list/],
    [{ keys: key }, /keys must be a list/],
    [{ keys: [key, key] }, /two keys with the id "partner"/],
    [{ keys: [{ ...key, id: undefined }] }, /keys\[0\]\.id must be a string/],
    [{ keys: [{ ...key, id: "schlüssel" }] }, /keys\[0\]\.id must be printable ASCII/],
    [{ keys: [{ ...key, algorithm: undefined }] }, /keys\[0\]\.algorithm must be one of "hmac-sha256"/],
    [{ keys: [{ ...key, algorithm: "rsa-sha256" }] }, /keys\[0\]\.algorithm must be one of/],
    [{ keys: [{ ...key, secret }] }, /keys\[0\]\.secret is of no use to ed25519/],
    [
      { keys: [{ ...hmacKey, publicKey: key.publicKey }] },
      /keys\[0\]\.publicKey is of no use to hmac-sha256/,
    ],
    [
      { keys: [{ ...key, publicKey: undefined }] },
      /publicKey is undefined: is an environment variable missing/,
    ],
    [
      { keys: [{ ...hmacKey, secret: undefined }] },
      /secret is undefined: is an environment variable missing/,
    ],
    [{ keys: [{ ...hmacKey, secret: secret.slice(1) }] }, /has 31 bytes; at least 32 are required/],
    [{ keys: [{ ...hmacKey, secret: "" }] }, /keys\[0\]\.secret is empty/],
    [{ keys: [{ ...hmacKey, secret: key.publicKey.trim() }] }, /PEM key, not a shared secret/],
    [{ keys: [{ ...key, publicKey: pemOf(p256.publicKey) }] }, /kind P-256, which cannot check ed25519/],
    [
      { keys: [{ ...key, algorithm: "ecdsa-p384-sha384", publicKey: pemOf(p256.publicKey) }] },
      /cannot check ecdsa-p384/,
    ],
    [
      { keys: [{ ...key, algorithm: "rsa-pss-sha512", publicKey: jwkOf(rsa.publicKey, { alg: "RS256" }) }] },
      /"alg" that it is not for rsa-pss-sha512, which is PS512/,
    ],
    [
      { keys: [{ ...key, expires: "2030-01-01" }] },
      /keys\[0\] has no option "expires"; did you mean "expiresAt"/,
    ],
    [{ tag: "" }, /httpMessageSignatures\.tag/],
    [{ tolerance: "0s" }, /httpMessageSignatures\.tolerance/],
    [{ tolerance: Number.POSITIVE_INFINITY }, /tolerance/],
    [{ type: "a..b" }, /type must be a member's name, or names joined by dots/],
    [{ type: { header: "a b" } }, /type\.header is not a header name/],
    [{ id: { headers: "a" } }, /id has no option "headers"/],
    [{ data: { header: "a" } }, /data must be a string/],
    [{ deadline: "0ms" }, /deadline/],
    [{ name: "" }, /name/],
    [{ insecureShortSecret: "yes" }, /insecureShortSecret must be true or left out/],
    [{ insecureUnsignedBody: 1 }, /insecureUnsignedBody must be true or left out/],
    [{ secret }, /has no option "secret"/],
  ];
  it.each(cases.map(([changes, reason]) => [reason, changes] as const))("%s", (reason, changes) => {
    const build = () => httpMessageSignatures({ keys: [key], publicUrl, ...changes } as never);
    expect(build).toThrow(TypeError);
    expect(build).toThrow(reason);
  });

  it("takes a short secret only where told to (F07)", () => {
    const keys = [{ ...hmacKey, secret: "short" }];
    expect(make({ keys, insecureShortSecret: true }).signature).toBeDefined();
  });
});
