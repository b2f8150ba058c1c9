import { generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { parsePublicKeys, parseSecrets } from "../../../src/signatures/signing-keys.js";

const text = "3f1c0a9be47d52681c9d0e7fa5b4";
const bytesOf = (value: unknown, rules?: Parameters<typeof parseSecrets>[2]): Buffer | undefined =>
  parseSecrets(value, "secret", rules)[0]?.key.export();
const message = (value: unknown, rules?: Parameters<typeof parseSecrets>[2]): string => {
  try {
    parseSecrets(value, "source.secret", rules);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as TypeError).message;
  }
  return "accepted";
};

describe("signing secrets", () => {
  it("are text, bytes, or bytes written in base64", () => {
    expect(bytesOf(text)).toEqual(Buffer.from(text));
    const bytes = randomBytes(24);
    expect(bytesOf(bytes)).toEqual(bytes);
    expect(bytesOf(new Uint8Array(bytes))).toEqual(bytes);
    expect(bytesOf({ base64: bytes.toString("base64") })).toEqual(bytes);
    expect(bytesOf({ secret: { base64: bytes.toString("base64url") } })).toEqual(bytes);
  });

  it("have names and lifetimes, for rotation", () => {
    const end = new Date("2030-01-01T00:00:00Z");
    const keys = parseSecrets(
      [text, { secret: `${text}2`, id: "old", expiresAt: end, state: "inactive" }],
      "secret",
    );
    expect(keys).toMatchObject([
      {
        id: "secret-1",
        active: true,
        notBeforeMs: Number.NEGATIVE_INFINITY,
        expiresAtMs: Number.POSITIVE_INFINITY,
      },
      { id: "old", active: false, expiresAtMs: end.getTime() },
    ]);
    expect(parseSecrets({ secret: text, notBefore: end }, "secret")).toMatchObject([
      { id: "secret-1", notBeforeMs: end.getTime() },
    ]);
  });

  it("are at most ten, at least one", () => {
    const many = (count: number) => Array.from({ length: count }, (_, at) => `${text}${at}`);
    expect(parseSecrets(many(10), "secret")).toHaveLength(10);
    expect(message(many(11))).toBe("source.secret must hold 1 to 10 of secret, not 11");
    expect(message([])).toBe("source.secret must hold 1 to 10 of secret, not 0");
  });

  it("have names that differ", () => {
    const two = [
      { id: "a", secret: text },
      { id: "a", secret: `${text}2` },
    ];
    expect(message(two)).toBe('source.secret has two keys with the id "a"; give each its own');
    expect(message([{ id: "secret-2", secret: text }, `${text}2`])).toMatch(
      /two keys with the id "secret-2"/,
    );
  });

  it.each<[unknown, RegExp]>([
    [undefined, /^source\.secret is undefined: is an environment variable missing\?$/],
    [null, /^source\.secret is null: is an environment variable missing\?$/],
    ["", /^source\.secret is empty; give the secret that the sender shows/],
    [Buffer.alloc(0), /^source\.secret is empty/],
    [{ base64: "" }, /^source\.secret is empty/],
    [[text, ""], /^source\.secret\[1\] is empty/],
    [[text, undefined], /^source\.secret\[1\] must be text, a Uint8Array or \{ base64/],
    [{ secret: "" }, /^source\.secret\.secret is empty/],
    [[{ secret: "" }], /^source\.secret\[0\]\.secret is empty/],
    [{ secret: undefined }, /^source\.secret\.secret must be text/],
    [
      text.slice(0, 23),
      /^source\.secret has 23 bytes; at least 24 are required: .*insecureShortSecret: true$/,
    ],
    [Buffer.from(text.slice(0, 23)), /^source\.secret has 23 bytes/],
    [`${text}\n`, /^source\.secret begins or ends with white space/],
    [5, /^source\.secret must be text/],
    [{ base64: "not base64!" }, /^source\.secret\.base64 is not base64/],
    [{ secret: text, name: "a" }, /^source\.secret has no option "name"/],
    [{ secret: text, expiresAt: "soon" }, /^source\.secret\.expiresAt must be/],
    [{ secret: text, id: "" }, /^source\.secret\.id must be a string that is not empty/],
    [{ secret: text, id: 5 }, /^source\.secret\.id must be a string/],
    ["a".repeat(40), /^source\.secret is one byte, repeated, so anyone can sign with it/],
    ["your-256-bit-secret-key-here-change-me", /^source\.secret is a sample secret/],
    ["-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", /^source\.secret holds a PEM key/],
    [JSON.stringify({ kty: "oct", k: text }), /^source\.secret holds a JWK key/],
  ])("F07 refuse what is no secret: %p", (value, expected) => {
    expect(message(value)).toMatch(expected);
  });

  it("never stand in the message", () => {
    for (const value of [text.slice(0, 20), `${text} `, [{ secret: text, id: 5 }]]) {
      expect(message(value)).not.toContain(text.slice(0, 20));
    }
  });

  it("F07 are taken short where that is asked for by name, and still never empty, public or guessable at full length", () => {
    const rules = { insecureShortSecret: true };
    expect(bytesOf("12345", rules)).toEqual(Buffer.from("12345"));
    expect(message("", rules)).toMatch(/is empty/);
    expect(message("a".repeat(40), rules)).toMatch(/repeated/);
    expect(message('{"kty":"oct"}', rules)).toMatch(/holds a JWK/);
  });

  it("are bounded as the source asks", () => {
    expect(bytesOf(text, { minBytes: 28, maxBytes: 28 })).toHaveLength(28);
    expect(message(text, { minBytes: 29 })).toMatch(/has 28 bytes; at least 29 are required/);
    expect(message(text, { maxBytes: 27 })).toMatch(/^source\.secret has 28 bytes; at most 27 are allowed/);
  });

  it("are read from text as the source does, and from bytes as they are", () => {
    const rules = { decode: (hex: string) => Buffer.from(hex, "hex"), minBytes: 1 };
    expect(bytesOf("0a0b", rules)).toEqual(Buffer.from([10, 11]));
    expect(bytesOf(Buffer.from("0a0b"), rules)).toEqual(Buffer.from("0a0b"));
    expect(message("zz", rules)).toMatch(/is empty/);
  });

  it("I09 take nothing from a prototype", () => {
    const given = Object.assign(Object.create({ id: "polluted" }), { secret: text });
    expect(parseSecrets(given, "secret")).toMatchObject([{ id: "secret-1" }]);
    expect(message(Object.create({ secret: text }))).toMatch(/^source\.secret must be text/);
  });
});

describe("public keys of a source", () => {
  const ed25519 = generateKeyPairSync("ed25519");
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = (pair: { publicKey: typeof ed25519.publicKey }): string =>
    pair.publicKey.export({ type: "spki", format: "pem" }) as string;
  const jwk = ed25519.publicKey.export({ format: "jwk" }) as { kty: string };
  const faultOf = (value: unknown, algorithm: Parameters<typeof parsePublicKeys>[2] = "ed25519"): string => {
    try {
      parsePublicKeys(value, "source.publicKey", algorithm);
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
      return (error as TypeError).message;
    }
    return "accepted";
  };

  it("are PEM or a JWK, with names and lifetimes", () => {
    const keys = parsePublicKeys(
      [pem(ed25519), { ...jwk, kid: "by kid" }, { publicKey: jwk, id: "by id", state: "inactive" }],
      "publicKey",
      "ed25519",
    );
    expect(keys).toMatchObject([{ id: "key-1" }, { id: "by kid" }, { id: "by id", active: false }]);
    for (const { key } of keys) expect(key.equals(ed25519.publicKey)).toBe(true);
  });

  it("A04 fit the algorithm", () => {
    expect(faultOf(pem(p256), "ecdsa-p256-sha256")).toBe("accepted");
    expect(faultOf(pem(rsa), "rsa-sha256")).toBe("accepted");
    expect(faultOf(pem(rsa))).toBe("source.publicKey is a key of kind RSA, which cannot check ed25519");
    expect(faultOf(pem(p384), "ecdsa-p256-sha256")).toMatch(/is a key of kind P-384, which cannot check/);
    expect(faultOf(pem(ed25519), "rsa-sha256")).toMatch(/is a key of kind Ed25519, which cannot check/);
    expect(faultOf(pem(ed25519), "hmac-sha256")).toMatch(/cannot check hmac-sha256/);
  });

  it.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /^source\.publicKey is undefined: is an environment variable missing\?$/],
    ["an empty list", [], /^source\.publicKey must hold 1 to 10 of publicKey, not 0$/],
    ["no PEM", "abc", /^source\.publicKey must hold one PEM block/],
    [
      "a private key",
      ed25519.privateKey.export({ type: "pkcs8", format: "pem" }),
      /^source\.publicKey is a private key/,
    ],
    ["a JWK for encryption", { ...jwk, use: "enc" }, /^source\.publicKey is not for signatures/],
    [
      "two keys of one name",
      [jwk, { publicKey: jwk, id: "key-1" }],
      /^source\.publicKey has two keys with the id "key-1"/,
    ],
    ["an unknown option", { publicKey: jwk, secret: "x" }, /^source\.publicKey has no option "secret"/],
    ["a second place", [jwk, 5], /^source\.publicKey\[1\] /],
  ])("A12 refuse %s", (_, value, expected) => {
    expect(faultOf(value)).toMatch(expected);
  });
});
