import { createHmac, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import { type CustomSourceOptions, customSource } from "../../../src/sources/custom/index.js";
import type { SignatureScheme } from "../../../src/types/signature.js";
import { requestOf, wordOf } from "../signatures/signed-request.js";
import { eventsOf, faultOf } from "./cloudevents-request.js";

const secret = "a-secret-of-32-characters-0123456";
const signature = { header: "x-signature", secret };
const json = { "content-type": "application/json" };

function source(options: Omit<CustomSourceOptions, "name"> = {}) {
  return customSource({ name: "shop", ...options });
}

describe("the events of a declared source", () => {
  it("are found in type, id and the whole body unless told otherwise", () => {
    const body = { type: "order.paid", id: "1", total: 3 };
    expect(eventsOf(source(), json, JSON.stringify(body))).toEqual([
      { type: "order.paid", id: "1", data: body },
    ]);
  });

  it("are found along paths, in headers and by functions", () => {
    const options = {
      type: { header: "X-Topic" },
      id: "meta.ids.0",
      data: ({ kind }: { kind: string }, element: unknown) => ({ kind, element }),
    };
    const found = eventsOf(source(options), { ...json, "x-topic": "order.paid" }, '{"meta":{"ids":["7"]}}');
    expect(found).toEqual([
      { type: "order.paid", id: "7", data: { kind: "json", element: { meta: { ids: ["7"] } } } },
    ]);
    expect(source(options).headers).toEqual(["x-topic"]);
  });

  it("are each element of a list, in its order, and none of an empty one", () => {
    const list = source({ each: "items", type: "t", id: "i", data: "d" });
    expect(eventsOf(list, json, '{"items":[{"t":"a","i":1,"d":2},{"t":"b","i":2}]}')).toEqual([
      { type: "a", id: 1, data: 2 },
      { type: "b", id: 2, data: undefined },
    ]);
    expect(eventsOf(list, json, '{"items":[]}')).toEqual([]);
    expect(eventsOf(source({ each: "." }), json, '[{"type":"a"}]')).toEqual([
      { type: "a", id: undefined, data: { type: "a" } },
    ]);
  });

  it("come from a function that reads the whole delivery", () => {
    const events = () => [{ type: "a", id: "1", data: null }];
    expect(eventsOf(source({ events }), json, "{}")).toEqual([{ type: "a", id: "1", data: null }]);
    expect(faultOf(source({ events: () => ({ fault: "nothing here" }) }), json, "{}")).toBe("nothing here");
  });

  it.each([
    ["no type", {}, "{}", "`type` finds undefined"],
    ["an empty type", {}, '{"type":""}', "`type` finds an empty string"],
    ["a type that is no text", {}, '{"type":1}', "`type` finds 1"],
    ["a type in the prototype", { type: "constructor.name" }, "{}", "`type` finds undefined"],
    ["one element without a type", { each: "." }, '[{"type":"a"},{}]', "`type` finds undefined"],
    ["no list", { each: "items" }, '{"items":{}}', "`each` finds an object"],
    ["nothing where the list should be", { each: "items" }, "{}", "`each` finds undefined"],
  ])("are refused whole for %s", (_, options, body, fault) => {
    expect(faultOf(source(options), json, body)).toContain(fault);
  });
});

describe("composing a delivery", () => {
  it.each([
    [{}],
    [{ type: "event.name", id: "event.id" }],
    [{ type: { header: "x-topic" }, id: { header: "x-id" } }],
    [{ data: "payload" }],
    [{ data: "type.inner", type: "kind" }],
    [{ each: "." }],
    [{ each: "a.items", type: "t", id: "i", data: "d" }],
  ] as const)("is reading it backwards: %j", (options) => {
    const declared = source(options);
    const sent = declared.compose?.({ type: "order.paid", id: "7", data: { total: 1 }, nowMs: 0 });
    const [event] = eventsOf(declared, { ...json, ...sent?.headers }, sent?.body as string);
    expect(event).toMatchObject({ type: "order.paid", id: "7", data: { total: 1 } });
  });

  it("is left to an option where a function reads", () => {
    expect(source({ type: () => "a" }).compose).toBeUndefined();
    expect(source({ data: () => 1 }).compose).toBeUndefined();
    expect(source({ events: () => [] }).compose).toBeUndefined();
    const compose = () => ({ headers: {}, contentType: "text/plain", body: "" });
    expect(source({ type: () => "a", compose }).compose).toBe(compose);
  });
});

describe("the signature of a declared source", () => {
  const at = 1_700_000_000;

  async function check(
    options: CustomSourceOptions["signature"],
    headers: Record<string, string>,
    body: string,
  ) {
    const gate = createSignatureGate(
      source({ signature: options }).signature as SignatureScheme,
      "signature",
    );
    return wordOf(await gate(requestOf(headers, body), at * 1_000));
  }

  it("is hex of HMAC-SHA-256 over the body unless told otherwise", async () => {
    const hex = createHmac("sha256", secret).update("{}").digest("hex");
    expect(await check(signature, { "X-Signature": hex }, "{}")).toBe("secret-1");
    expect(await check(signature, { "X-Signature": hex }, "{ }")).toBe("mismatch");
    expect(await check(signature, {}, "{}")).toBe("missing");
  });

  it("may be made with each of several secrets, and names the one it was", async () => {
    const hex = createHmac("sha512", Buffer.alloc(32, secret)).update("{}").digest("hex");
    const several = [
      { id: "old", secret: `${secret}7` },
      { id: "new", secret: Buffer.alloc(32, secret) },
    ];
    const options = { header: "x-signature", algorithm: "hmac-sha512", secret: several } as const;
    expect(await check(options, { "x-signature": hex }, "{}")).toBe("new");
  });

  it("may be over pieces that a function gives", async () => {
    const signed = ({ headers, rawBody }: { headers: Record<string, unknown>; rawBody: Buffer }) => [
      `${headers["x-shop"]}:`,
      createHmac("sha256", "x").update(rawBody).digest(),
    ];
    const content = Buffer.concat([Buffer.from("7:"), createHmac("sha256", "x").update("{}").digest()]);
    const hex = createHmac("sha256", secret).update(content).digest("hex");
    const options = { ...signature, signed } as CustomSourceOptions["signature"];
    expect(await check(options, { "x-signature": hex, "x-shop": "7" }, "{}")).toBe("secret-1");
    expect(await check(options, { "x-signature": hex, "x-shop": "8" }, "{}")).toBe("mismatch");
  });

  it("is refused where a check of one's own throws or rejects, without the body's words", async () => {
    const throwing = {
      verify: ({ rawBody }: { rawBody: Buffer }) => JSON.parse(rawBody.toString()) as never,
    };
    expect(await check(throwing, {}, "canary")).toBe("malformed");
    expect(await check({ verify: () => Promise.reject(new Error("canary")) }, {}, "")).toBe("malformed");
    expect(await check({ verify: () => Promise.reject("canary") }, {}, "")).toBe("malformed");
    expect(await check({ verify: () => Promise.resolve({ keyId: "own" }) }, {}, "")).toBe("own");
    expect(await check({ verify: () => undefined as never }, {}, "")).toBe("ERR_INTERNAL");
  });

  it("gives a check of one's own the public URL", async () => {
    const verify = ({ publicUrl = "" }) => ({ keyId: publicUrl });
    expect(await check({ verify, publicUrl: "https://a.example" }, {}, "")).toBe("https://a.example/");
  });

  it("takes public keys as they are shown: PEM, JWK, hex, base64 with and without its frame", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    const der = publicKey.export({ type: "spki", format: "der" });
    const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
    const raw = der.subarray(-32);
    const jwk = publicKey.export({ format: "jwk" }) as { kty: string };
    const forms = [pem, jwk, raw.toString("hex"), raw.toString("base64"), der.toString("base64")];
    const last = { id: "named", publicKey: raw.toString("hex") };
    for (const key of [...forms, [...forms.slice(0, 1), last]]) {
      const options = { header: "x-signature", algorithm: "ed25519", publicKey: key } as const;
      const scheme = source({ signature: options as CustomSourceOptions["signature"] }).signature;
      const [variant] = scheme?.kind === "header" ? scheme.variants : [];
      expect(variant?.keys[0]?.key.equals(publicKey)).toBe(true);
    }
    const { publicKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const text = rsa.export({ type: "spki", format: "der" }).toString("base64");
    const options = { header: "x", algorithm: "rsa-sha256", encoding: "base64", publicKey: text } as const;
    expect(() => source({ signature: options })).not.toThrow();
  });
});

describe("customSource()", () => {
  it("keeps what it is given, and waits ten seconds unless told otherwise", () => {
    expect(source()).toMatchObject({
      name: "shop",
      bodies: ["json"],
      deadline: "10s",
      deduplicateBy: "id-and-body",
    });
    const handshake = () => undefined;
    const answer = () => ({ status: 204 });
    const given = source({
      bodies: ["form", "json"],
      mediaTypes: { "application/vnd.shop": "json" },
      headers: ["X-Shop"],
      deduplicateBy: "id",
      deadline: "5s",
      auth: {},
      credentialPlaces: { keyInAuthorization: true },
      schemas: {},
      handshake,
      answer,
      composeUrl: (url) => url,
    });
    expect(given).toMatchObject({
      bodies: ["form", "json"],
      mediaTypes: { "application/vnd.shop": "json" },
      headers: ["x-shop"],
      deduplicateBy: "id",
      deadline: "5s",
      handshake,
      answer,
      composeUrl: expect.any(Function),
    });
  });

  it.each([
    ["no object", "x", /must be an object/],
    ["no name", {}, /name must be a string/],
    ["a name with a space", { name: "a b" }, /name must have 1 to 64/],
    ["a near miss", { name: "a", handshakes: () => undefined }, /did you mean "handshake"/],
    ["no list of bodies", { name: "a", bodies: [] }, /bodies must be a list of kinds/],
    ["an unknown kind", { name: "a", bodies: ["yaml"] }, /bodies\[0\] must be one of/],
    ["no kind", { name: "a", bodies: [undefined] }, /bodies\[0\] must be one of/],
    ["a media type with parameters", { name: "a", mediaTypes: { "a/b;c=d": "json" } }, /without parameters/],
    ["a media type in capitals", { name: "a", mediaTypes: { "A/b": "json" } }, /lower case/],
    [
      "a media type of no kind",
      { name: "a", mediaTypes: { "a/b": "x" } },
      /mediaTypes\["a\/b"\] must be one of/,
    ],
    ["headers that are no list", { name: "a", headers: "x" }, /headers must be a list/],
    ["a header with a colon", { name: "a", headers: ["x:"] }, /headers\[0\] is not a header name/],
    [
      "a credential kept (ATTACKS I01)",
      { name: "a", headers: ["Authorization"] },
      /authorization, which is a credential/,
    ],
    [
      "the signature kept",
      { name: "a", signature, id: { header: "X-Signature" } },
      /x-signature, which is a credential/,
    ],
    ["events and a type", { name: "a", events: () => [], type: "t" }, /`events` and `type`/],
    ["events that are no function", { name: "a", events: [] }, /events must be a function/],
    ["an empty path", { name: "a", type: "a..b" }, /type is not a member path/],
    ["an empty header", { name: "a", type: { header: "" } }, /type\.header must be a string/],
    ["a locator of another kind", { name: "a", type: 1 }, /type must be an object/],
    ["data in a header", { name: "a", data: { header: "x" } }, /data cannot come from a header/],
    ["one id for many events", { name: "a", each: ".", id: { header: "x" } }, /each needs an id of its own/],
    ["no path for each", { name: "a", each: "" }, /each must be a string/],
    ["a deadline of nothing", { name: "a", deadline: "0ms" }, /deadline must be a duration/],
    ["another deduplicateBy", { name: "a", deduplicateBy: "body" }, /deduplicateBy must be one of/],
    ["auth that is no object", { name: "a", auth: [] }, /auth must be an object/],
    ["a handshake that is no function", { name: "a", handshake: {} }, /handshake must be a function/],
    ["an answer that is no function", { name: "a", answer: {} }, /answer must be a function/],
  ])("refuses %s", (_, options, message) => {
    expect(() => customSource(options as never)).toThrow(TypeError);
    expect(() => customSource(options as never)).toThrow(message);
  });

  it.each([
    ["no object", "sha256", /signature must be an object/],
    ["no header", { secret }, /needs `header`/],
    ["header and headers", { ...signature, headers: [] }, /needs `header`/],
    ["headers that are no list", { secret, headers: {} }, /headers must be a list/],
    ["an empty list of headers", { secret, headers: [] }, /headers is empty/],
    ["headers beside a timestamp", { secret, headers: [{ signature: "x" }], timestamp: "y" }, /of each set/],
    ["headers beside an id", { secret, headers: [{ signature: "x" }], id: "y" }, /of each set/],
    ["a set without a signature", { secret, headers: [{}] }, /headers\[0\]\.signature must be/],
    ["a near miss", { ...signature, algoritm: "x" }, /did you mean "algorithm"/],
    ["an unknown algorithm", { ...signature, algorithm: "md5" }, /algorithm must be one of/],
    ["SHA-1 without a word (ATTACKS F06)", { ...signature, algorithm: "hmac-sha1" }, /insecureSha1: true/],
    ["that word without SHA-1", { ...signature, insecureSha1: true }, /leave it out/],
    [
      "a truthy word",
      { ...signature, algorithm: "hmac-sha1", insecureSha1: "yes" },
      /must be true or left out/,
    ],
    ["no secret (ATTACKS F07)", { header: "x" }, /secret is undefined: is an environment variable missing/],
    ["an empty secret", { header: "x", secret: "" }, /secret is empty/],
    ["a short secret", { header: "x", secret: "short" }, /insecureShortSecret: true/],
    ["a secret for Ed25519", { ...signature, algorithm: "ed25519" }, /takes a publicKey instead/],
    ["a public key for HMAC", { ...signature, publicKey: "x" }, /takes a secret instead/],
    ["no public key", { header: "x", algorithm: "ed25519" }, /publicKey is undefined/],
    [
      "text that is no public key",
      { header: "x", algorithm: "ed25519", publicKey: "x" },
      /must hold one PEM block/,
    ],
    ["another encoding", { ...signature, encoding: "utf8" }, /encoding must be one of/],
    ["another case", { ...signature, hexCase: "mixed" }, /hexCase must be one of/],
    ["parts without a name", { ...signature, parts: {} }, /prefix is missing/],
    [
      "an empty separator",
      { ...signature, parts: { separator: "" }, prefix: "v1" },
      /parts\.separator must be text/,
    ],
    ["no prefixes", { ...signature, prefix: [] }, /prefix must be a string/],
    ["an empty prefix", { ...signature, prefix: ["v1", ""] }, /prefix\[1\] must be a string/],
    ["a part without parts", { ...signature, timestamp: { part: "t" } }, /parts must say how/],
    [
      "a part without a name",
      { ...signature, parts: {}, prefix: "v1", timestamp: {} },
      /timestamp\.part must be/,
    ],
    ["a timestamp that is not signed", { ...signature, timestamp: "x-time" }, /leaves out \{timestamp\}/],
    ["a tolerance of nothing", { ...signature, tolerance: "1m" }, /needs a timestamp/],
    [
      "an endless tolerance (ATTACKS F02)",
      {
        ...signature,
        timestamp: "t",
        signed: "{timestamp}{body}",
        tolerance: Number.POSITIVE_INFINITY,
      },
      /from "1s" to "1h"/,
    ],
    ["another unit", { ...signature, timestampUnit: "minutes" }, /timestampUnit must be one of/],
    ["a template without the body", { ...signature, signed: "{method}" }, /leaves out \{body\}/],
    ["an unknown placeholder", { ...signature, signed: "{Body}" }, /unknown placeholder \{Body\}/],
    ["an empty template", { ...signature, signed: "" }, /signed must be a string/],
    ["a URL that is not known", { ...signature, signed: "{url}{body}" }, /publicUrl is missing/],
    [
      "a public URL with a query",
      { ...signature, publicUrl: "https://a.example/?b" },
      /publicUrl must be an origin/,
    ],
    [
      "an id that no header provides",
      { ...signature, signed: "{id}{body}" },
      /\{id\} that no header provides/,
    ],
    ["a check that is no function", { verify: true }, /verify must be a function/],
    ["a check with a secret", { verify: () => ({ keyId: "x" }), secret }, /has no option "secret"/],
  ])("refuses a signature with %s", (_, given, message) => {
    expect(() => source({ signature: given as never })).toThrow(TypeError);
    expect(() => source({ signature: given as never })).toThrow(message);
  });

  it("names its option in each complaint, and never says a secret", () => {
    const options = { header: "x", secret: "canary" };
    expect(() => source({ signature: options })).toThrow(/^customSource\.signature\.secret has 6 bytes/);
    expect(() => source({ signature: options })).not.toThrow(/canary/);
  });

  it("reads own options alone (ATTACKS I09)", () => {
    const inherited = Object.create({ signature: "x" }) as Record<string, unknown>;
    inherited.name = "shop";
    expect(customSource(inherited as never).signature).toBeUndefined();
  });
});
