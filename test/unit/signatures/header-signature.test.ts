import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { createHeaderCheck, decodeSignature } from "../../../src/signatures/header-signature.js";
import type { HeaderScheme, SignatureAlgorithm, SignedRequest } from "../../../src/types/signature.js";
import { hmac, requestOf, type SentHeaders, secretKey, wordOf } from "./signed-request.js";

const now = 1_700_000_000;
const nowMs = now * 1000 + 999;
const secret = "a secret that is long enough to be one";
const key = secretKey(secret);
const body = '{"a":1}\r\n';

const plain: HeaderScheme = {
  kind: "header",
  headers: [{ signature: "x-signature" }],
  variants: [{ label: "sha256=", algorithm: "hmac-sha256", keys: [key] }],
  encoding: "hex",
  signed: "{body}",
};
const listed: HeaderScheme = {
  ...plain,
  parts: { separator: ",", assign: "=", timestamp: "t" },
  variants: [{ label: "v1", algorithm: "hmac-sha256", keys: [key] }],
  signed: "{timestamp}.{body}",
  tolerance: "5m",
};
const spread: HeaderScheme = {
  ...plain,
  headers: [
    { signature: "a-signature", timestamp: "a-time", id: "a-id" },
    { signature: "b-signature", timestamp: "b-time", id: "b-id" },
  ],
  parts: { separator: " ", assign: "," },
  variants: [{ label: "v1", algorithm: "hmac-sha256", keys: [key] }],
  encoding: "base64",
  signed: "{id}.{timestamp}.{body}",
  tolerance: "5m",
};

function found(scheme: HeaderScheme, sent: SentHeaders, sentBody: string | Buffer = body, at = nowMs) {
  const request: SignedRequest = { ...requestOf(sent, sentBody), publicUrl: undefined };
  return createHeaderCheck(scheme, "scheme")(request, at) as { fault: "missing"; reason: string };
}
const check = (...args: Parameters<typeof found>): string => wordOf(found(...args));

const plainly = (signature = `sha256=${hmac(secret, body).toString("hex")}`) => ({
  "X-Signature": signature,
});
const v1 = (time: number | string = now, of = body): string => hmac(secret, `${time}.`, of).toString("hex");
const inParts = (time: number | string = now) => ({ "X-Signature": `t=${time},v1=${v1(time)}` });
const inHeaders = (set = "a", id = "msg_1", time: number | string = now) => ({
  [`${set}-id`]: id,
  [`${set}-time`]: String(time),
  [`${set}-signature`]: `v1,${hmac(secret, `${id}.${time}.`, body).toString("base64")}`,
});

describe("a signature in a header of its own", () => {
  it("names the key that verified it", () => {
    expect(check(plain, plainly())).toBe("secret-1");
    expect(check(listed, inParts())).toBe("secret-1");
    expect(check(spread, inHeaders())).toBe("secret-1");
  });

  it("F03 holds for the bytes as they came, and no others", () => {
    for (const other of [body.trim(), body.replace("1", "2"), `${body} `, "", '{ "a": 1 }\r\n']) {
      expect(check(plain, plainly(), other)).toBe("mismatch");
    }
    const bytes = Buffer.from([0xff, 0x00, 0xfe]);
    expect(check(plain, plainly(`sha256=${hmac(secret, bytes).toString("hex")}`), bytes)).toBe("secret-1");
  });

  it("F01 tells a header that is missing or empty from one that cannot be read", () => {
    expect(check(plain, {})).toBe("missing");
    expect(check(plain, plainly(""))).toBe("missing");
    expect(found(plain, {}).reason).toBe("the header x-signature is missing: the sender does not sign");
    expect(found(plain, plainly("")).reason).toBe("the header x-signature is empty");
  });

  it.each([
    ["a wrong prefix", (good: string) => good.replace("sha256=", "sha1=")],
    ["no prefix", (good: string) => good.slice(7)],
    ["the prefix alone", () => "sha256="],
    ["one character", (good: string) => good.slice(0, 8)],
    ["eight characters", (good: string) => good.slice(0, 15)],
    ["one character less", (good: string) => good.slice(0, -1)],
    ["upper-case hex", (good: string) => `sha256=${good.slice(7).toUpperCase()}`],
    ["white space inside", (good: string) => good.replace("=", "= ")],
    ["twice in one header", (good: string) => `${good}, ${good}`],
    ["too long", (good: string) => `${good}${"0".repeat(8192)}`],
  ])("F01 refuses as malformed: %s", (_, change) => {
    expect(check(plain, plainly(change(plainly()["X-Signature"])))).toBe("malformed");
  });

  it("F01 refuses a header that came twice, though both are right", () => {
    const { "X-Signature": good } = plainly();
    expect(check(plain, { "X-Signature": [good, good] })).toBe("malformed");
    expect(check(plain, { "x-signature": good, "X-SIGNATURE": good })).toBe("malformed");
    expect(check(spread, { ...inHeaders(), "A-Id": "msg_1" })).toBe("malformed");
    expect(check(spread, { ...inHeaders(), "A-Time": String(now) })).toBe("malformed");
  });

  it("is not misled by headers with names of the same length", () => {
    expect(check(plain, { "x-signaturf": "a", ...plainly(), "y-signature": "b" })).toBe("secret-1");
  });

  it("says what form the signature would have", () => {
    expect(found(plain, plainly("md5=ab")).reason).toBe('the signature does not begin with "sha256="');
    expect(found(plain, plainly("sha256=ab")).reason).toBe("the signature is not 32 bytes in lower-case hex");
    const any: HeaderScheme = { ...plain, hexCase: "any" };
    expect(found(any, plainly("sha256=ab")).reason).toBe("the signature is not 32 bytes in hex");
    const url: HeaderScheme = { ...plain, encoding: "base64url" };
    expect(found(url, plainly("sha256=ab")).reason).toBe("the signature is not 32 bytes in base64url");
  });

  it("gives no secret and no expected signature away", () => {
    for (const sent of [{}, plainly("sha256=ab"), plainly(`sha256=${"0".repeat(64)}`)]) {
      const { reason } = found(plain, sent);
      expect(reason).not.toContain(secret);
      expect(reason).not.toContain(hmac(secret, body).toString("hex"));
    }
  });
});

describe("several ways to sign", () => {
  const sha512 = createHmac("sha512", secret).update(body).digest("hex");
  const sha256 = hmac(secret, body).toString("hex");

  it("chooses by the prefix, the longest first", () => {
    const scheme: HeaderScheme = {
      ...plain,
      variants: [
        { label: "v1", algorithm: "hmac-sha256", keys: [key] },
        { label: "v1=", algorithm: "hmac-sha512", keys: [key] },
      ],
    };
    expect(check(scheme, plainly(`v1${sha256}`))).toBe("secret-1");
    expect(check(scheme, plainly(`v1=${sha512}`))).toBe("secret-1");
    expect(check(scheme, plainly(`v1=${sha256}`))).toBe("malformed");
  });

  it("tells algorithms of one label apart by the signature's length", () => {
    const scheme: HeaderScheme = {
      ...plain,
      variants: [
        { label: "", algorithm: "hmac-sha256", keys: [key] },
        { label: "", algorithm: "hmac-sha512", keys: [key] },
      ],
    };
    expect(check(scheme, plainly(sha256))).toBe("secret-1");
    expect(check(scheme, plainly(sha512))).toBe("secret-1");
    expect(check(scheme, plainly(sha512.slice(0, 64)))).toBe("mismatch");
    expect(found(scheme, plainly("ab")).reason).toBe(
      "the signature is not 32 bytes in lower-case hex or 64 bytes in lower-case hex",
    );
    const parts: HeaderScheme = { ...scheme, parts: { separator: " ", assign: "," } };
    const variants = parts.variants.map((variant) => ({ ...variant, label: "v1" }));
    expect(check({ ...parts, variants }, plainly(`v1,${sha512}`))).toBe("secret-1");
  });

  it.each<[SignatureAlgorithm, string]>([
    ["hmac-sha1", "sha1"],
    ["hmac-sha256", "sha256"],
    ["hmac-sha384", "sha384"],
    ["hmac-sha512", "sha512"],
  ])("checks %s", (algorithm, hash) => {
    const scheme: HeaderScheme = { ...plain, variants: [{ label: "", algorithm, keys: [key] }] };
    const signature = createHmac(hash, secret).update(body).digest("hex");
    expect(check(scheme, plainly(signature))).toBe("secret-1");
    expect(check(scheme, plainly(signature), `${body}.`)).toBe("mismatch");
    expect(check(scheme, plainly(signature.slice(2)))).toBe("malformed");
  });
});

describe("several forms of what is signed", () => {
  const forms: HeaderScheme = {
    ...plain,
    signed: ({ rawBody }) => ({ anyOf: [[rawBody], ["with ", rawBody]] }),
  };

  it("takes a signature over any of them, and over nothing else", () => {
    const by = (...pieces: readonly string[]): string =>
      check(forms, plainly(`sha256=${hmac(secret, ...pieces).toString("hex")}`));
    expect(by(body)).toBe("secret-1");
    expect(by("with ", body)).toBe("secret-1");
    expect(by("without ", body)).toBe("mismatch");
    expect(check({ ...plain, signed: () => ({ anyOf: [] }) }, plainly())).toBe("mismatch");
  });
});

describe("signatures by public keys", () => {
  const ed25519 = generateKeyPairSync("ed25519");
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const schemeOf = (
    algorithm: SignatureAlgorithm,
    publicKey: KeyObject,
    more: Partial<HeaderScheme> = {},
  ): HeaderScheme => ({
    ...listed,
    variants: [{ label: "v1", algorithm, keys: [{ ...key, id: "key-1", key: publicKey }] }],
    encoding: "base64",
    ...more,
  });
  const sent = (signature: Buffer) => ({ "x-signature": `t=${now},v1=${signature.toString("base64")}` });
  const content = Buffer.from(`${now}.${body}`);

  it.each([
    ["ed25519", null, ed25519, undefined],
    ["ecdsa-p256-sha256", "sha256", p256, undefined],
    ["ecdsa-p256-sha256", "sha256", p256, "ieee-p1363"],
    ["rsa-sha256", "sha256", rsa, undefined],
  ] as const)("F09 checks %s (%s, %#)", (algorithm, hash, pair, dsaEncoding) => {
    const scheme = schemeOf(algorithm, pair.publicKey, { dsaEncoding });
    const by = {
      key: createPrivateKey(pair.privateKey.export({ format: "pem", type: "pkcs8" })),
      dsaEncoding,
    };
    const signature = sign(hash, content, by);
    expect(check(scheme, sent(signature))).toBe("key-1");
    expect(check(scheme, sent(signature), `${body} `)).toBe("mismatch");
    for (const changed of [
      signature.subarray(1),
      Buffer.concat([signature, Buffer.alloc(1)]),
      Buffer.alloc(64),
    ]) {
      expect(check(scheme, sent(changed))).toBe("mismatch");
    }
  });

  it("A03 does not take a public key as an HMAC secret", () => {
    const pem = ed25519.publicKey.export({ format: "pem", type: "spki" });
    expect(check(schemeOf("ed25519", ed25519.publicKey), sent(hmac(pem as string, content)))).toBe(
      "mismatch",
    );
  });

  it("says that the length is any", () => {
    const reason = found(schemeOf("ed25519", ed25519.publicKey), { "x-signature": "t=1,v1=" }).reason;
    expect(reason).toBe('the signature header has no signature "v1" (base64)');
  });
});

describe("a header of parts", () => {
  const other = "0".repeat(64);

  it("F04 takes any signature that matches, and ignores other versions", () => {
    expect(check(listed, { "x-signature": `t=${now},v1=${other},v1=${v1()}` })).toBe("secret-1");
    expect(check(listed, { "x-signature": `v0=zz,v1=zz,v1=${v1()},t=${now},__proto__=1` })).toBe("secret-1");
    expect(check(listed, { "x-signature": `t=${now},v1=${other}` })).toBe("mismatch");
    expect(check(listed, { "x-signature": `t=${now},v0=${v1()}` })).toBe("malformed");
    expect(check(listed, { "x-signature": `t=${now},V1=${v1()}` })).toBe("malformed");
  });

  it("F04 counts at most ten signatures, readable or not", () => {
    const filled = (count: number, filler: string): string =>
      `t=${now}${`,v1=${filler}`.repeat(count)},v1=${v1()}`;
    for (const filler of [other, "zz"]) {
      expect(check(listed, { "x-signature": filled(9, filler) })).toBe("secret-1");
      expect(check(listed, { "x-signature": filled(10, filler) })).toBe("malformed");
    }
    const unknown = `t=${now}${",v0=1".repeat(50)},v1=${v1()}`;
    expect(check(listed, { "x-signature": unknown })).toBe("secret-1");
  });

  it.each([
    ["no list", "v1"],
    ["an empty part", `t=${now},,v1=${v1()}`],
    ["an empty part at its end", `t=${now},v1=${v1()},`],
    ["a part without a name", `t=${now},=1,v1=${v1()}`],
    ["no timestamp", `v1=${v1()}`],
    ["two timestamps", `t=${now},t=${now},v1=${v1()}`],
    ["no signature", `t=${now}`],
    ["white space", `t=${now}, v1=${v1()}`],
    ["another separator", `t=${now};v1=${v1()}`],
  ])("F01 refuses as malformed: %s", (_, header) => {
    expect(check(listed, { "x-signature": header })).toBe("malformed");
  });

  it("never takes the part of the timestamp for a signature", () => {
    const odd: HeaderScheme = { ...listed, variants: [{ ...listed.variants[0], label: "t" } as never] };
    expect(check(odd, { "x-signature": `t=${v1()}` })).toBe("malformed");
  });
});

describe("F02 the timestamp", () => {
  it("may lie as far from our clock as is allowed, on both sides, and no second further", () => {
    for (const offset of [-300, 0, 300]) expect(check(listed, inParts(now + offset))).toBe("secret-1");
    for (const offset of [-301, 301, -86_400 * 365, 86_400 * 365]) {
      expect(check(listed, inParts(now + offset))).toBe("timestamp");
    }
    expect(found(listed, inParts(now - 301)).reason).toBe(
      "the timestamp lies 301 s behind our clock; 300 s are allowed (tolerance)",
    );
    expect(found(listed, inParts(now + 400)).reason).toMatch(/400 s ahead of our clock/);
  });

  it.each([
    "",
    "NaN",
    "1e9",
    `${now}.5`,
    `-${now}`,
    `+${now}`,
    ` ${now}`,
    `0${now}`,
    `0x${now}`,
    "0",
    "١٢",
    "9".repeat(16),
  ])("refuses %j", (time) => {
    expect(check(listed, inParts(time))).toBe("malformed");
  });

  it("refuses milliseconds where seconds are meant, and takes them where they are", () => {
    expect(check(listed, inParts(nowMs))).toBe("timestamp");
    const inMs: HeaderScheme = { ...listed, timestampUnit: "milliseconds" };
    expect(check(inMs, inParts(nowMs - 300_000))).toBe("secret-1");
    expect(check(inMs, inParts(nowMs - 300_001))).toBe("timestamp");
    expect(check(inMs, inParts(nowMs + 300_000))).toBe("secret-1");
    expect(found(inMs, inParts(nowMs + 300_001)).reason).toMatch(/300\.001 s ahead of/);
    expect(found(inMs, inParts("x")).reason).toBe("the timestamp is not a whole number of milliseconds");
  });

  it("cannot be replaced: it is signed", () => {
    expect(check(listed, { "x-signature": `t=${now},v1=${v1(now - 1)}` })).toBe("mismatch");
    expect(check(spread, { ...inHeaders(), "a-time": String(now - 1) })).toBe("mismatch");
  });

  it("F05 cannot take a zero from the id before it", () => {
    const scheme: HeaderScheme = { ...spread, signed: "{id}{timestamp}{body}" };
    const signature = `v1,${hmac(secret, `msg0${now}`, body).toString("base64")}`;
    const sent = (id: string, time: string) => ({ "a-id": id, "a-time": time, "a-signature": signature });
    expect(check(scheme, sent("msg0", String(now)))).toBe("secret-1");
    expect(check(scheme, sent("msg", `0${now}`))).toBe("malformed");
  });
});

describe("headers of their own for id and timestamp", () => {
  it.each(["a-id", "a-time", "a-signature"])("F01 refuses a delivery without %s", (name) => {
    const { [name]: _, ...rest } = inHeaders();
    expect(check(spread, rest)).toBe("missing");
    expect(check(spread, { ...inHeaders(), [name]: "" })).toBe("missing");
  });

  it("F05 refuses an id that holds a dot", () => {
    expect(check(spread, inHeaders("a", "msg.1"))).toBe("malformed");
    expect(check(spread, inHeaders("a", "msg"))).toBe("secret-1");
  });

  it("cannot be exchanged between deliveries", () => {
    expect(check(spread, { ...inHeaders(), "a-id": "msg_2" })).toBe("mismatch");
  });

  it("takes the first set of which any header came, so that none of another set stands in", () => {
    expect(check(spread, inHeaders("b"))).toBe("secret-1");
    expect(check(spread, { ...inHeaders("a"), "b-id": "msg_2" })).toBe("secret-1");
    for (const name of ["a-id", "a-time", "a-signature", "A-ID"]) {
      expect(check(spread, { ...inHeaders("b"), [name]: "x" })).toMatch(/^(missing|malformed)$/);
    }
    expect(check(spread, {})).toBe("missing");
    expect(found(spread, {}).reason).toMatch(/^the header a-signature is missing/);
  });

  it("F10 does without id and timestamp where a set has none", () => {
    const scheme: HeaderScheme = { ...plain, headers: [{ signature: "one" }, { signature: "two" }] };
    expect(check(scheme, { two: `sha256=${hmac(secret, body).toString("hex")}` })).toBe("secret-1");
  });
});

describe("keys in rotation", () => {
  const old = secretKey("the secret that was there before it", "old");
  const scheme = (more: object): HeaderScheme => ({
    ...plain,
    variants: [{ label: "sha256=", algorithm: "hmac-sha256", keys: [{ ...old, ...more }, key] }],
  });
  const byOld = plainly(`sha256=${hmac("the secret that was there before it", body).toString("hex")}`);

  it("names the one that matched, whichever it is", () => {
    expect(check(scheme({}), byOld)).toBe("old");
    expect(check(scheme({}), plainly())).toBe("secret-1");
  });

  it("C08 counts a key from its beginning and until its end, to the millisecond", () => {
    const at = (more: object): string => check(scheme(more), byOld);
    expect(at({ notBeforeMs: nowMs })).toBe("old");
    expect(at({ notBeforeMs: nowMs + 1 })).toBe("mismatch");
    expect(at({ expiresAtMs: nowMs + 1 })).toBe("old");
    expect(at({ expiresAtMs: nowMs })).toBe("mismatch");
    expect(at({ active: false })).toBe("mismatch");
  });

  it("tells the operator that a key has ended, not that nothing matched", () => {
    expect(found(scheme({ active: false }), byOld).reason).toBe(
      'the signature was made with "old", which is inactive or outside its lifetime',
    );
    expect(found(scheme({}), plainly(`sha256=${"0".repeat(64)}`)).reason).toMatch(/^no secret matches/);
  });

  it("goes on behind a key that has ended: another one with the same secret may count", () => {
    const twice: HeaderScheme = {
      ...plain,
      variants: [
        {
          label: "sha256=",
          algorithm: "hmac-sha256",
          keys: [
            { ...key, active: false },
            { ...key, id: "b" },
          ],
        },
      ],
    };
    expect(check(twice, plainly())).toBe("b");
  });
});

describe("schemes that cannot be meant", () => {
  const publicKey = generateKeyPairSync("ed25519").publicKey;
  it.each<[string, object, RegExp]>([
    ["no variants", { variants: [] }, /^scheme\.variants is empty: no signature could pass$/],
    ["no headers", { headers: [] }, /^scheme\.headers is empty/],
    ["no keys", { variants: [{ ...plain.variants[0], keys: [] }] }, /^scheme\.variants\[0\]\.keys is empty/],
    [
      "an unknown algorithm",
      { variants: [{ ...plain.variants[0], algorithm: "toString" }] },
      /^scheme\.variants\[0\]\.algorithm must be one of hmac-sha256, /,
    ],
    [
      "a public key for an HMAC",
      { variants: [{ ...plain.variants[0], keys: [{ ...key, key: publicKey }] }] },
      /^scheme\.variants\[0\]\.keys holds a key that is not secret, as hmac-sha256 needs$/,
    ],
    [
      "a secret for Ed25519",
      { variants: [{ label: "", algorithm: "ed25519", keys: [key] }] },
      /^scheme\.variants\[0\]\.keys holds a key that is not public, as ed25519 needs$/,
    ],
    ["no encoding", { encoding: undefined }, /^scheme\.encoding must be one of "hex", "base64", "base64url"/],
    ["another encoding", { encoding: "utf8" }, /^scheme\.encoding must be one of/],
    ["another case", { hexCase: "Lower" }, /^scheme\.hexCase must be one of/],
    ["another form of ECDSA", { dsaEncoding: "p1363" }, /^scheme\.dsaEncoding must be one of/],
    ["another unit", { timestampUnit: "minutes" }, /^scheme\.timestampUnit must be one of/],
    ["an empty separator", { parts: { separator: "", assign: "=" } }, /^scheme\.parts needs a separator/],
    ["an empty assign", { parts: { separator: ",", assign: "" } }, /^scheme\.parts needs a separator/],
    [
      "a timestamp in one set alone",
      { headers: [{ signature: "a", timestamp: "t" }, { signature: "b" }] },
      /^scheme\.headers has sets with a timestamp and without/,
    ],
  ])("refuses %s", (_, change, message) => {
    const make = () => createHeaderCheck({ ...plain, ...change } as HeaderScheme, "scheme");
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  it.each([undefined, 0, -1, "3601s", "999ms", 300, Number.NaN, Number.POSITIVE_INFINITY, "300", null])(
    "F02 refuses a tolerance of %p",
    (tolerance) => {
      const make = () => createHeaderCheck({ ...listed, tolerance } as HeaderScheme, "scheme");
      expect(make).toThrow(TypeError);
      expect(make).toThrow(/^scheme\.tolerance /);
    },
  );

  it("takes a tolerance from 1 to 3,600 seconds", () => {
    for (const toleranceSeconds of [1, 3600]) {
      const scheme: HeaderScheme = { ...listed, tolerance: `${toleranceSeconds}s` };
      expect(check(scheme, inParts(now - toleranceSeconds))).toBe("secret-1");
      expect(check(scheme, inParts(now - toleranceSeconds - 1))).toBe("timestamp");
    }
  });
});

const bytes = Buffer.from(Array.from({ length: 32 }, (_, at) => (at * 37 + 0xe7) & 0xff));
const hex = bytes.toString("hex");
const base64 = bytes.toString("base64");
const base64url = bytes.toString("base64url");

describe("F01 a signature's encoding", () => {
  it("gives the bytes of what is exactly as its encoding writes it", () => {
    expect(decodeSignature(hex, { encoding: "hex" }, 32)).toEqual(bytes);
    expect(decodeSignature(base64, { encoding: "base64" }, 32)).toEqual(bytes);
    expect(decodeSignature(base64url, { encoding: "base64url" }, 32)).toEqual(bytes);
  });

  it("takes any length where none is asked for, except none", () => {
    expect(decodeSignature("ab", { encoding: "hex" }, 0)).toEqual(Buffer.from([0xab]));
    expect(decodeSignature("", { encoding: "hex" }, 0)).toBeUndefined();
    expect(decodeSignature("zz", { encoding: "hex" }, 0)).toBeUndefined();
  });

  it.each([
    ["empty", ""],
    ["one character", hex.slice(0, 1)],
    ["eight characters", hex.slice(0, 8)],
    ["one character short", hex.slice(0, -1)],
    ["one byte short", hex.slice(0, -2)],
    ["one byte long", `${hex}00`],
    ["half a byte long", `${hex}0`],
    ["another alphabet", `${hex.slice(0, -1)}g`],
    ["white space before", ` ${hex}`],
    ["white space inside", `${hex.slice(0, 8)} ${hex.slice(8)}`],
    ["a prefix", `0x${hex}`],
    ["full-width digits", hex.replace("0", "\uff10")],
    ["base64", base64],
  ])("refuses hex: %s", (_, text) => {
    for (const hexCase of ["lower", "any"] as const) {
      expect(decodeSignature(text, { encoding: "hex", hexCase }, 32)).toBeUndefined();
    }
  });

  it("takes the letters of hex that the scheme names, and lower case where it names none", () => {
    const upper = hex.toUpperCase();
    const mixed = hex.slice(0, 32) + upper.slice(32);
    const taken = (hexCase?: "lower" | "upper" | "any"): boolean[] =>
      [hex, upper, mixed].map(
        (text) => decodeSignature(text, { encoding: "hex", hexCase }, 32) !== undefined,
      );
    expect(taken()).toEqual([true, false, false]);
    expect(taken("lower")).toEqual([true, false, false]);
    expect(taken("upper")).toEqual([false, true, false]);
    expect(taken("any")).toEqual([true, true, true]);
  });

  it("takes digits alone in either case", () => {
    expect(decodeSignature("1234", { encoding: "hex", hexCase: "upper" }, 2)).toEqual(
      Buffer.from([0x12, 0x34]),
    );
  });

  it.each([
    ["no padding", base64.slice(0, -1)],
    ["more padding", `${base64}=`],
    ["the other alphabet", base64.replaceAll("+", "-").replaceAll("/", "_")],
    ["unused bits", base64.replace(/.=$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=`)],
    ["white space inside", `${base64.slice(0, 8)} ${base64.slice(8)}`],
    ["a line end", `${base64}\n`],
    ["more text behind the padding", `${base64}AA`],
    ["hex", hex],
  ])("refuses base64: %s", (_, text) => {
    expect(text).not.toBe(base64);
    expect(decodeSignature(text, { encoding: "base64" }, 32)).toBeUndefined();
  });

  it.each([
    ["padding", `${base64url}=`],
    ["the other alphabet", base64.slice(0, -1)],
  ])("refuses base64url: %s", (_, text) => {
    expect(decodeSignature(text, { encoding: "base64url" }, 32)).toBeUndefined();
  });
});
