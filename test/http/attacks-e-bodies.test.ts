import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver, type ReceiverOptions } from "hookgate";
import { createScene, mounts } from "../support/scene.js";
import { postHead } from "../support/wire.js";

const scene = createScene();
afterAll(scene.close);
const key = scene.secret("key");
const secret = scene.secret("body");
const event = JSON.stringify({ type: "any", note: secret });
const bomb = Buffer.alloc(30_000_000);
const deep = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;

interface Taken {
  readonly data: unknown;
  readonly rawBody: Buffer;
}

function createTarget(options: Partial<ReceiverOptions> = {}) {
  const taken: Taken[] = [];
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key },
    type: () => "any",
    logger: scene.logger,
    hooks: scene.hooks,
    ...options,
  });
  receiver.onAny((each, { delivery }) => taken.push({ data: each.data, rawBody: delivery.rawBody }));
  return { taken, receiver };
}

describe.each(mounts)("E: bodies on %s", (_name, mount) => {
  async function start(options?: Partial<ReceiverOptions>) {
    const { taken, receiver } = createTarget(options);
    const port = await scene.listen(mount(receiver.middleware()));
    const post = (body: string | Uint8Array, headers: Record<string, string | string[]> = {}) =>
      scene.send(port, { key, body, headers });
    return { taken, port, post };
  }

  it.each([
    ["gzip", gzipSync(bomb)],
    ["deflate", deflateSync(bomb)],
    ["br", brotliCompressSync(bomb.subarray(0, 1_000_000))],
    ["zstd", Buffer.from("28b52ffd", "hex")],
    ["GZIP", gzipSync(event)],
    ["x-gzip", gzipSync(event)],
    ["gzip, gzip", gzipSync(gzipSync(event))],
    ["identity, gzip", gzipSync(event)],
    ["unknown", Buffer.from(event)],
    ["", Buffer.from(event)],
  ])(
    "E05 refuses the content coding %j without decoding, and says which one will do",
    async (coding, body) => {
      const { taken, port } = await start();
      const wire = await scene.open(port);
      const lines = [`Key: ${key}`, "Content-Type: application/json", `Content-Encoding: ${coding}`];
      void wire.send(
        Buffer.concat([Buffer.from(postHead(...lines, `Content-Length: ${body.length}`)), body]),
      );
      const [answer] = await wire.answers(1);
      expect([answer?.status, answer?.head]).toEqual([
        415,
        expect.stringMatching(/^Accept-Encoding: identity$/m),
      ]);
      expect(taken).toEqual([]);
    },
  );

  it.each([
    ["E14 charset utf-16", "application/json; charset=utf-16"],
    ["E14 charset latin-1", "application/json; charset=iso-8859-1"],
    ["E14 charset utf-7", 'application/json; charset="utf-7"'],
    ["E16 a tab before the parameter", "application/json\t;"],
    ["E16 a longer name", "application/jsonx"],
    ["E16 two types in one line", "application/json, text/plain"],
    ["E16 text/plain", "text/plain"],
    ["E16 text/json", "text/json"],
    ["E16 no subtype", "application"],
    ["E16 a star", "*/*"],
    ["E16 a parameter named twice", "application/json; charset=utf-8; charset=utf-16"],
    ["E21 a form, where only JSON is taken", "application/x-www-form-urlencoded"],
    ["E22 multipart", "multipart/form-data; boundary=x"],
    ["E23 XML", "application/xml"],
    ["E23 text/xml", "text/xml; charset=utf-8"],
  ])("refuses %s: 415", async (_case, contentType) => {
    const { taken, port } = await start();
    const answer = await scene.send(port, { key, body: event, contentType });
    expect([answer.status, answer.json()]).toMatchObject([415, { code: "ERR_MEDIA_TYPE" }]);
    // RFC 9110 section 12.5.3: where the coding was not the trouble, none is proposed.
    expect(answer.headers["accept-encoding"]).toBeUndefined();
    expect(taken).toEqual([]);
  });

  it("E23 takes XML where it is asked for, and neither DTD nor entity in it", async () => {
    const { taken, port } = await start({ body: { types: ["xml"] }, type: () => "order.paid" });
    const xml = (body: string) => scene.send(port, { key, body, contentType: "text/xml" });
    const bomb = `<!DOCTYPE a [<!ENTITY b "boom">]><a>&b;</a>`;
    const external = `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`;
    for (const body of [bomb, external, "<a>&b;</a>", "<a><b></a></b>", "<a/><b/>", "<a", ""]) {
      expect((await xml(body)).json()).toMatchObject({ status: 400, code: "ERR_BODY_MALFORMED" });
    }
    expect(taken).toEqual([]);
    expect((await xml("<a><b>1</b></a>")).status).toBe(200);
    expect(taken).toHaveLength(1);
  });

  it("E16 refuses a body without a type, and with two", async () => {
    const { taken, port } = await start();
    for (const lines of [[], ["Content-Type: application/json", "Content-Type: application/json"]]) {
      const wire = await scene.open(port);
      const head = postHead(`Key: ${key}`, ...lines, `Content-Length: ${event.length}`);
      await wire.send(head + event);
      expect((await wire.answers(1))[0]?.status).toBe(415);
    }
    expect(taken).toEqual([]);
  });

  it.each([
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    "application/cloudevents+json",
    "application/json;",
  ])("E16 takes %s", async (contentType) => {
    const { port } = await start();
    expect((await scene.send(port, { key, body: event, contentType })).status).toBe(200);
  });

  it.each([
    ["E14 a byte order mark", Buffer.concat([Buffer.from("efbbbf", "hex"), Buffer.from(event)])],
    ["E14 UTF-16", Buffer.from(event, "utf16le")],
    ["E14 a byte that is no UTF-8", Buffer.from('{"type":"\xff"}', "latin1")],
    ["E14 an overlong NUL", Buffer.from('{"type":"\xc0\x80"}', "latin1")],
    ["E14 a surrogate in UTF-8", Buffer.from('{"type":"\xed\xa0\x80"}', "latin1")],
    ["E15 nothing", ""],
    ["E15 white space", " \r\n\t "],
    ["E17 a member twice", `{"type":"any","note":"${secret}","note":"other"}`],
    ["E17 a member twice, once escaped", '{"type":"a","\\u0074ype":"b"}'],
    ["E17 a member twice, deep inside", '{"a":[{"b":{"c":1,"c":2}}]}'],
    ["E18 more than 64 levels", deep(65)],
    ["E18 100,000 levels", "[".repeat(100_000)],
    ["E18 100,000 levels that are closed", "[".repeat(100_000) + "]".repeat(100_000)],
    ["E19 an infinite number", '{"n":1e999}'],
    ["E19 a negative infinite number", '{"n":[-1e999]}'],
    ["NaN", '{"n":NaN}'],
    ["trailing data", `${event}x`],
    ["two values", "{}{}"],
    ["a comment", "/* */{}"],
    ["a trailing comma", '{"a":1,}'],
    ["single quotes", "{'a':1}"],
    ["a control character in a string", '{"a":"\n"}'],
    ["half a body", event.slice(0, -2)],
  ])("refuses %s: 400, without a word of it", async (_case, body) => {
    const { taken, post } = await start();
    const answer = await post(body);
    expect([answer.status, answer.text]).toEqual([
      400,
      '{"type":"about:blank","title":"Bad Request","status":400,"code":"ERR_BODY_MALFORMED"}',
    ]);
    expect(taken).toEqual([]);
  });

  it("E17 reads names with escapes after bodies that mislead JSON.parse of Node.js 24 and 26", async () => {
    const { taken, post } = await start();
    expect((await post(String.raw`{"first":1,"\\":2}`)).status).toBe(200);
    expect((await post(String.raw`{"first":1,"\u0062":2}`)).status).toBe(200);
    expect((await post(String.raw`{"first":1,"b":3,"\u0062":2}`)).status).toBe(400);
    expect(taken.map(({ data }) => data)).toEqual([
      { first: 1, "\\": 2 },
      { first: 1, b: 2 },
    ]);
  });

  it("E18 takes 64 levels", async () => {
    const { taken, post } = await start();
    expect([(await post(deep(64))).status, taken.length]).toEqual([200, 1]);
  });

  it("E17 keeps __proto__ as data of its own, and nothing is merged into a prototype", async () => {
    const { taken, post } = await start();
    const body = '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"toString":1}';
    expect((await post(body)).status).toBe(200);
    const data = taken[0]?.data as Record<string, unknown>;
    expect(Object.keys(data)).toEqual(["__proto__", "constructor", "toString"]);
    expect(Object.hasOwn(data, "__proto__")).toBe(true);
    expect(data.admin).toBeUndefined();
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });

  it("E19 E20 keeps the bytes: long integers, lone surrogates, NUL", async () => {
    const { taken, post } = await start();
    const body = ' {"n":9007199254740993,"lone":"\\ud800","nul":"\\u0000","s":"\u2028é"}\r\n';
    expect((await post(body)).status).toBe(200);
    expect(taken[0]?.rawBody.toString()).toBe(body);
    expect(taken[0]?.data).toEqual({ n: 9007199254740992, lone: "\ud800", nul: "\0", s: "\u2028é" });
  });

  it("E21 takes forms where they are declared, without nesting, repetition kept apart", async () => {
    const { taken, port } = await start({ body: { types: ["form"] } });
    const form = (body: string) =>
      scene.send(port, { key, body, contentType: "application/x-www-form-urlencoded" });
    expect((await form("payload=%7B%22a%22%3A1%7D&a[b]=1&x=1&x=2&__proto__=p")).status).toBe(200);
    const data = taken[0]?.data as object;
    expect(Object.entries(data)).toEqual([
      ["payload", '{"a":1}'],
      ["a[b]", "1"],
      ["x", ["1", "2"]],
      ["__proto__", "p"],
    ]);
    for (const bad of ["", "a=%", "a=%zz", "a=%ff", Array(1001).fill("a=1").join("&")]) {
      expect([bad.slice(0, 5), (await form(bad)).status]).toEqual([bad.slice(0, 5), 400]);
    }
    expect((await scene.send(port, { key, body: event })).status).toBe(415);
    expect(taken).toHaveLength(1);
  });

  it("E02 takes a body of exactly the limit, and not a byte more", async () => {
    const { taken, post } = await start({ body: { maxBytes: event.length } });
    expect([(await post(event)).status, (await post(`${event} `)).status]).toEqual([200, 413]);
    expect(taken).toHaveLength(1);
  });
});

describe("E: configuration", () => {
  it.each([
    ["NaN", { maxBytes: Number.NaN }],
    ["text", { maxBytes: "10mb" }],
    ["text that is no size", { maxBytes: "10mbx" }],
    ["zero", { maxBytes: 0 }],
    ["a negative number", { maxBytes: -1 }],
    ["Infinity", { maxBytes: Number.POSITIVE_INFINITY }],
    ["null", { maxBytes: null }],
    ["a deadline that is none", { timeout: Number.POSITIVE_INFINITY }],
    ["an unknown option", { limit: "1mb" }],
  ])("E04 refuses %s as limit at construction", (_case, body) => {
    expect(() => createTarget({ body: body as never })).toThrow(/^createReceiver\.body/);
  });

  it.each(["multipart", "bytes", "text"])("E22 cannot be told to take %s", (type) => {
    expect(() => createTarget({ body: { types: [type as "json"] } })).toThrow(
      /^createReceiver\.body\.types\[0\]/,
    );
  });
});

it("I01 shows no key and nothing of a body in log and answers", () => {
  expect(scene.takeLog().length).toBeGreaterThan(100);
  expect(scene.leaks()).toEqual([]);
});
