import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { type StandardWebhooksOptions, standardWebhooks } from "hookgate/standard-webhooks";
import { Webhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import type { ParsedDelivery } from "../../../src/types/source.js";
import { requestOf, type SentHeaders, wordOf } from "../signatures/signed-request.js";

const bytes = randomBytes(32);
const secret = `whsec_${bytes.toString("base64")}`;
const pair = generateKeyPairSync("ed25519");
const rawKey = Buffer.from(pair.publicKey.export({ format: "jwk" }).x as string, "base64url");
const publicKey = `whpk_${rawKey.toString("base64")}`;
const nowMs = 1_700_000_000_000;
const now = new Date(nowMs);
const body = '{"type":"user.created","data":{"id":1}}';

const check = async (options: StandardWebhooksOptions, sent: SentHeaders, of = body): Promise<string> => {
  const gate = createSignatureGate(standardWebhooks(options).signature as never, "source.signature");
  return wordOf((await gate(requestOf(sent, of), nowMs)) as never);
};
const sent = (signature: string, prefix = "webhook", id = "msg_1"): Record<string, string> => ({
  [`${prefix}-id`]: id,
  [`${prefix}-timestamp`]: String(nowMs / 1000),
  [`${prefix}-signature`]: signature,
});
const v1 = (id = "msg_1", by = secret): string => new Webhook(by).sign(id, now, body);
const v1a = (id = "msg_1", key = pair.privateKey): string =>
  `v1a,${sign(null, Buffer.from(`${id}.${nowMs / 1000}.${body}`), key).toString("base64")}`;
const read = (delivery: Partial<ParsedDelivery>, options: Partial<StandardWebhooksOptions> = {}) =>
  standardWebhooks({ secret, ...options }).events({ body: {}, kind: "json", headers: {}, ...delivery });

describe("standardWebhooks, against the libraries of its peers", () => {
  it("takes what standardwebhooks and svix sign, under either name of the headers", async () => {
    const svix = new SvixWebhook(secret).sign("msg_1", now, body);
    expect(svix).toBe(v1());
    for (const prefix of ["webhook", "svix"]) {
      expect(await check({ secret }, sent(v1(), prefix))).toBe("secret-1");
      expect(await check({ secret }, sent(v1(), prefix), `${body} `)).toBe("mismatch");
    }
  });

  it("reads secrets as they do: base64, with the prefix or not", async () => {
    const bare = bytes.toString("base64");
    expect(v1("msg_1", bare)).toBe(v1());
    for (const given of [secret, bare, bytes, { base64: bare }, `v1,${secret}`, [secret]]) {
      expect(await check({ secret: given }, sent(v1()))).toBe("secret-1");
    }
  });

  it("F04 takes any of several signatures, and ignores versions it does not know", async () => {
    const other = v1("msg_1", randomBytes(32).toString("base64"));
    expect(await check({ secret }, sent(`${other} ${v1()}`))).toBe("secret-1");
    expect(await check({ secret }, sent(`v1a,AAAA v2,?? ${v1()}`))).toBe("secret-1");
    expect(await check({ secret }, sent(other))).toBe("mismatch");
    expect(await check({ secret }, sent(v1a()))).toBe("malformed");
    expect(await check({ secret }, sent(v1().replace("v1,", "v1a,")))).toBe("malformed");
  });
});

describe("standardWebhooks with public keys", () => {
  it("F09 checks v1a with keys in every form", async () => {
    const jwk = pair.publicKey.export({ format: "jwk" }) as { kty: string };
    const pem = pair.publicKey.export({ format: "pem", type: "spki" }) as string;
    const named = { id: "theirs", publicKey };
    for (const [given, id] of [
      [publicKey, "key-1"],
      [[publicKey], "key-1"],
      [jwk, "key-1"],
      [pem, "key-1"],
      [named, "theirs"],
      [[named], "theirs"],
    ] as const) {
      expect(await check({ publicKey: given }, sent(v1a()))).toBe(id);
      expect(await check({ publicKey: given, secret: undefined }, sent(v1a()), `${body} `)).toBe("mismatch");
    }
  });

  it("checks each version with its own keys, and either will do", async () => {
    const both = { secret, publicKey };
    expect(await check(both, sent(v1()))).toBe("secret-1");
    expect(await check(both, sent(v1a()))).toBe("key-1");
    const stranger = generateKeyPairSync("ed25519").privateKey;
    expect(await check(both, sent(`${v1a("msg_1", stranger)} ${v1()}`))).toBe("secret-1");
    expect(await check(both, sent(v1a("msg_1", stranger)))).toBe("mismatch");
    expect(await check({ publicKey }, sent(v1()))).toBe("malformed");
  });

  it("A03 does not take a signature that was made with the public key as a secret", async () => {
    const forged = new Webhook(rawKey, { format: "raw" }).sign("msg_1", now, body);
    expect(await check({ secret, publicKey }, sent(forged))).toBe("mismatch");
    expect(await check({ secret, publicKey }, sent(forged.replace("v1,", "v1a,")))).toBe("mismatch");
  });
});

describe("standardWebhooks", () => {
  it("F05 refuses an id with a dot, though it is signed", async () => {
    expect(await check({ secret }, sent(v1("msg.1"), "webhook", "msg.1"))).toBe("malformed");
  });

  it("F02 takes timestamps up to the tolerance on both sides", async () => {
    const at = (seconds: number): Record<string, string> => {
      const time = nowMs / 1000 + seconds;
      return {
        ...sent(new Webhook(secret).sign("msg_1", new Date(time * 1000), body)),
        "webhook-timestamp": `${time}`,
      };
    };
    for (const offset of [-300, 300]) expect(await check({ secret }, at(offset))).toBe("secret-1");
    for (const offset of [-301, 301]) expect(await check({ secret }, at(offset))).toBe("timestamp");
    expect(await check({ secret, tolerance: "5s" }, at(-6))).toBe("timestamp");
  });

  it("reads the id from the headers that were signed", async () => {
    const headers = { "webhook-id": "w", "svix-id": "s" };
    expect(read({ body: { type: "a" }, headers })).toEqual([{ type: "a", id: "w", data: { type: "a" } }]);
    expect(read({ body: { type: "a" }, headers: { "svix-id": "s" } })).toMatchObject([{ id: "s" }]);
    // A header of the first set, beside a valid signature of the second: no other id gets in that way.
    expect(await check({ secret }, { ...sent(v1(), "svix"), "webhook-id": "forged" })).toBe("missing");
    expect(await check({ secret }, { ...sent(v1(), "svix"), "webhook-id": "" })).toBe("missing");
  });

  it("reads type and data where the options say", () => {
    const delivered = { type: "a", event: { name: "b", data: 5 } };
    expect(read({ body: delivered })).toEqual([{ type: "a", id: undefined, data: delivered }]);
    expect(read({ body: delivered }, { type: "event.name" })).toMatchObject([{ type: "b", data: delivered }]);
    expect(read({ body: delivered }, { data: "event.data" })).toMatchObject([{ type: "a", data: 5 }]);
    expect(read({ body: delivered }, { data: "nowhere" })).toMatchObject([{ data: undefined }]);
  });

  it.each([null, [], "x", {}, { type: "" }, { type: 5 }, Object.create({ type: "a" })])(
    "cannot read %j",
    (body) => {
      expect(read({ body })).toEqual({ fault: "the body has no text at `type`, where the type stands" });
    },
  );

  it.each<Partial<StandardWebhooksOptions>>([
    {},
    { data: "data" },
    { type: "event.name" },
    { type: "event.name", data: "event.data" },
    { type: "__proto__.x", data: "a.b" },
  ])("composes what it reads, with %j", (options) => {
    const source = standardWebhooks({ secret, ...options });
    for (const data of [{ a: 1, event: { more: true } }, [1], null, "text"]) {
      const composed = source.compose?.({ type: "t", id: "msg", data, nowMs });
      const body = JSON.parse(composed?.body ?? "");
      const [event] = source.events({ body, kind: "json", headers: composed?.headers ?? {} }) as never[];
      expect(event).toMatchObject({ type: "t", id: "msg" });
      if (options.data !== undefined) expect(event).toMatchObject({ data });
      else if (data !== null && typeof data === "object" && !Array.isArray(data))
        expect(body).toMatchObject(data);
      else expect(body).toMatchObject({ data });
    }
  });

  it("goes by the id alone, and has a name of its own choice", () => {
    const { name, deduplicateBy, deadline } = standardWebhooks({ secret });
    expect({ name, deduplicateBy, deadline }).toEqual({
      name: "standard-webhooks",
      deduplicateBy: "id",
      deadline: "15s",
    });
    expect(standardWebhooks({ secret, name: "clerk" }).name).toBe("clerk");
  });

  const whsk = `whsk_${randomBytes(64).toString("base64")}`;
  it.each<[string, object, RegExp]>([
    ["nothing", {}, /^standardWebhooks needs a secret \(for signatures v1\) or a publicKey \(for v1a\)$/],
    [
      "no secret",
      { secret: undefined },
      /^standardWebhooks\.secret is undefined: is an environment variable missing/,
    ],
    ["null", { secret: null, publicKey }, /^standardWebhooks\.secret is null/],
    ["an empty secret", { secret: "" }, /^standardWebhooks\.secret is empty/],
    ["a prefix alone", { secret: "whsec_" }, /^standardWebhooks\.secret is empty/],
    [
      "23 bytes",
      { secret: `whsec_${Buffer.from(bytes.subarray(0, 23)).toString("base64")}` },
      /has 23 bytes; at least 24/,
    ],
    [
      "65 bytes",
      { secret: `whsec_${randomBytes(65).toString("base64")}` },
      /has 65 bytes; at most 64 are allowed/,
    ],
    ["65 bytes as bytes", { secret: randomBytes(65) }, /has 65 bytes; at most 64 are allowed/],
    [
      "no base64",
      { secret: "whsec_not base64, but text!" },
      /^standardWebhooks\.secret is not base64, with whsec_/,
    ],
    [
      "a public key as secret",
      { secret: publicKey },
      /^standardWebhooks\.secret is a key for signatures v1a/,
    ],
    ["a private key as secret", { secret: whsk }, /^standardWebhooks\.secret is a key for signatures v1a/],
    ["a private key", { publicKey: whsk }, /^standardWebhooks\.publicKey is a secret, not a public key/],
    ["a secret as public key", { publicKey: [secret] }, /^standardWebhooks\.publicKey\[0\] is a secret/],
    [
      "31 bytes",
      { publicKey: `whpk_${rawKey.subarray(1).toString("base64")}` },
      /has 31 bytes; Ed25519 keys have 32/,
    ],
    [
      "a bad whpk_",
      { publicKey: { publicKey: "whpk_?" } },
      /^standardWebhooks\.publicKey\.publicKey is not base64/,
    ],
    ["a key of small order", { publicKey: `whpk_${Buffer.alloc(32).toString("base64")}` }, /small order/],
    ["another kind of key", { publicKey: null }, /^standardWebhooks\.publicKey is null/],
    ["a number", { publicKey: 5 }, /^standardWebhooks\.publicKey must/],
    ["an empty path", { secret, type: "" }, /^standardWebhooks\.type must be a string that is not empty/],
    [
      "a broken path",
      { secret, type: "a..b" },
      /^standardWebhooks\.type must be a member's name, or names joined/,
    ],
    ["a broken path of the data", { secret, data: "a." }, /^standardWebhooks\.data must be a member's name/],
    ["an empty name", { secret, name: "" }, /^standardWebhooks\.name must be a string/],
    ["tolerance 0", { secret, tolerance: "0s" }, /^standardWebhooks\.tolerance/],
    ["an unknown option", { secret, tolerances: 1 }, /^standardWebhooks has no option "tolerances"/],
  ])("F02 F07 refuses %s", (_, options, message) => {
    expect(() => standardWebhooks(options)).toThrow(TypeError);
    expect(() => standardWebhooks(options)).toThrow(message);
  });

  it("takes 24 and 64 bytes, and fewer where that is asked for by name", () => {
    for (const length of [24, 64]) {
      expect(standardWebhooks({ secret: randomBytes(length).toString("base64") }).bodies).toEqual(["json"]);
    }
    expect(standardWebhooks({ secret: "whsec_AAECAw==", insecureShortSecret: true }).bodies).toEqual([
      "json",
    ]);
  });
});
