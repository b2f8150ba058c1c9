import { createHmac } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  webexConnect,
  webexConnectAnswer,
  webexConnectEvents,
  webexConnectResponse,
  webexConnectServiceJwt,
} from "hookgate/webex-connect";
import { type ErrorCode, errorTable, Refusal } from "../../../src/errors.js";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import type { BodyKind, Source, SourceOutcome } from "../../../src/types/source.js";

const requestId = "9f2b2d79-1684-4ca5-addb-9d6d18fd9a70";
const secret = "8Z1v0hQkXq3nLr7Tt5Wb2Yd9Cf4Gj6Mp";

function read(source: Source<unknown>, body: unknown, kind: BodyKind = "json"): unknown {
  return source.events({ body, kind, headers: {} });
}

function outcomeOf(over: Partial<SourceOutcome>): SourceOutcome {
  return {
    status: over.code === undefined ? "handled" : "refused",
    code: undefined,
    signatureFault: undefined,
    httpStatus: over.code === undefined ? 200 : errorTable[over.code].status,
    requestId,
    bodyKind: "json",
    events: [],
    ...over,
  };
}

const eventNamed = (correlationid?: string) => ({ type: "1", id: "1", data: { correlationid } });

describe("webexConnect", () => {
  it("takes any JSON and XML as one event, with the whole body as its data", () => {
    const source = webexConnect();
    expect(source.bodies).toEqual(["json", "xml"]);
    for (const body of [{ a: [1] }, [1], "text", null, 5]) {
      expect(read(source, body)).toEqual([{ type: "inbound", id: undefined, data: body }]);
    }
  });

  it("refuses XML where it is switched off", () => {
    expect(webexConnect({ xml: false }).bodies).toEqual(["json"]);
    expect(webexConnect({ xml: true }).bodies).toEqual(["json", "xml"]);
  });

  it("reads type, id and data where the options say, in JSON and in XML's form", () => {
    const source = webexConnect({ type: "order.@kind", id: "order.@id", data: "order" });
    const body = { order: { "@kind": "paid", "@id": "7", "#text": "x" } };
    expect(read(source, body, "xml")).toEqual([{ type: "paid", id: "7", data: body.order }]);
    expect(read(webexConnect({ type: { name: "doorbell" } }), {})).toMatchObject([{ type: "doorbell" }]);
  });

  it("takes an id that is a number, and none where there is none", () => {
    const source = webexConnect({ id: "id" });
    expect(read(source, { id: 7 })).toMatchObject([{ id: 7 }]);
    for (const body of [{}, { id: null }, "text"])
      expect(read(source, body)).toMatchObject([{ id: undefined }]);
  });

  it("G01 reads own members only, and says what it cannot read", () => {
    expect(read(webexConnect({ type: "constructor.name" }), {})).toHaveProperty("fault");
    expect(read(webexConnect({ type: "type" }), { type: 5 })).toHaveProperty("fault");
    expect(read(webexConnect({ type: "type" }), { type: "" })).toHaveProperty("fault");
    expect(read(webexConnect({ id: "id" }), { id: { a: 1 } })).toHaveProperty("fault");
  });

  it("asks where credentials may stand only for what it was told", () => {
    expect(webexConnect().credentialPlaces).toEqual({ tokenInKeyHeader: false, keyInAuthorization: false });
    const odd = webexConnect({ tokenInKeyHeader: true, sandbox: true });
    expect(odd.credentialPlaces).toEqual({ tokenInKeyHeader: true, keyInAuthorization: true });
  });

  it("refuses options that cannot be meant", () => {
    const wrong: readonly unknown[] = [
      null,
      [],
      { answer: "webex" },
      { answers: "vendor" },
      { answers: "" },
      { type: "" },
      { type: 5 },
      { type: { name: "" } },
      { type: { fixed: "a" } },
      { id: "" },
      { data: 1 },
      { xml: "yes" },
      { sandbox: "true" },
      { tokenInKeyHeader: 1 },
      { deadline: "0ms" },
      { deadline: Number.NaN },
      { signature: true },
      { signature: { secret } },
      { signature: { header: "x-sig" } },
      { signature: { header: "x-sig", secret: "" } },
      { signature: { header: "x-sig", secret: "short" } },
      { signature: { header: "x sig", secret } },
      { signature: { header: "Authorization", secret } },
      { signature: { header: "key", secret } },
      { signature: { header: "x-sig", secret, algorithm: "sha1" } },
      { signature: { header: "x-sig", secret, encoding: "base32" } },
    ];
    for (const options of wrong) {
      expect(() => webexConnect(options as object)).toThrow(TypeError);
      expect(() => webexConnectEvents(options as object)).toThrow(TypeError);
    }
    expect(() => webexConnect({ answers: "weebx" as "webex" })).toThrow("webexConnect.answers");
  });

  it("composes what it reads", () => {
    const composed = webexConnect().compose?.({ type: "inbound", id: "1", data: { a: 1 }, nowMs: 0 });
    expect(composed).toEqual({ headers: {}, contentType: "application/json", body: '{"a":1}' });
  });
});

describe("webexConnect's signature", () => {
  const rawBody = Buffer.from('{"a": 1}\r\n');
  const mac = (hash: string, encoding: "hex" | "base64" = "hex") =>
    createHmac(hash, secret).update(rawBody).digest(encoding);
  const check = async (options: object, lines: readonly (readonly [string, string])[], body = rawBody) => {
    const { signature } = webexConnect({ signature: { header: "X-Sig", secret, ...options } });
    if (signature === undefined) throw new Error("no scheme");
    const gate = createSignatureGate(signature, "test");
    const rawHeaders = lines.flat();
    const found = await gate({ method: "POST", url: "/", headers: {}, rawHeaders, rawBody: body }, 0);
    return found instanceof Refusal ? found.code : found.keyId;
  };

  it("takes SHA-256 and SHA-512, in hex and base64, with and without a prefix", async () => {
    expect(await check({}, [["x-sig", mac("sha256")]])).toBe("secret-1");
    expect(await check({}, [["x-sig", mac("sha256").toUpperCase()]])).toBe("secret-1");
    expect(await check({}, [["X-SIG", `sha256=${mac("sha256")}`]])).toBe("secret-1");
    const sha512 = { algorithm: "sha512", encoding: "base64" };
    expect(await check(sha512, [["x-sig", mac("sha512", "base64")]])).toBe("secret-1");
    expect(await check(sha512, [["x-sig", `sha512=${mac("sha512", "base64")}`]])).toBe("secret-1");
  });

  it("F04 takes either secret while it is rotated, and says which", async () => {
    const secrets = {
      secret: [
        { id: "old", secret: secret.toLowerCase() },
        { id: "new", secret },
      ],
    };
    expect(await check(secrets, [["x-sig", mac("sha256")]])).toBe("new");
  });

  it("F01 F03 F06 refuses what is missing, repeated, of another algorithm, or over other bytes", async () => {
    const right = mac("sha256");
    const wrong: readonly (readonly (readonly [string, string])[])[] = [
      [],
      [["x-sig", ""]],
      [
        ["x-sig", right],
        ["x-sig", right],
      ],
      [["x-other", right]],
      [["x-sig", right.slice(2)]],
      [["x-sig", `${right}00`]],
      [["x-sig", mac("sha1")]],
      [["x-sig", mac("sha512")]],
      [["x-sig", `sha1=${mac("sha1")}`]],
      [["x-sig", `sha512=${right}`]],
    ];
    for (const lines of wrong) expect(await check({}, lines)).toBe("ERR_SIGNATURE_INVALID");
    expect(await check({}, [["x-sig", right]], Buffer.from('{"a":1}'))).toBe("ERR_SIGNATURE_INVALID");
  });
});

describe("webexConnectEvents", () => {
  it("makes an event of each item, typed by its evtid, with what the request says of all", () => {
    const body = {
      notifyurl: "https://customer.example/notify",
      expiry: "2030-01-01T00:00:00Z",
      events: [
        { evtid: "1789", correlationid: "ABC123", parameters: { mobile: "1" } },
        { evtid: 4792, correlationid: "", parameters: null },
        { evtid: "constructor" },
      ],
    };
    const { events, ...common } = body;
    expect(read(webexConnectEvents(), body)).toEqual([
      { type: "1789", id: undefined, data: { ...events[0], ...common } },
      { type: "4792", id: undefined, data: { evtid: "4792", parameters: {}, ...common } },
      { type: "constructor", id: undefined, data: { evtid: "constructor", parameters: {}, ...common } },
    ]);
  });

  it("leaves out what the request leaves empty", () => {
    expect(read(webexConnectEvents(), { notifyurl: "", events: [{ evtid: "1" }] })).toEqual([
      { type: "1", id: undefined, data: { evtid: "1", parameters: {} } },
    ]);
  });

  it("tells repetitions by a member where it is told to, apart for each evtid", () => {
    const source = webexConnectEvents({ id: "parameters.orderId" });
    const parameters = { orderId: 7 };
    const body = { events: [{ evtid: "1", parameters }, { evtid: "2", parameters }, { evtid: "3" }] };
    expect(read(source, body)).toMatchObject([{ id: "1:7" }, { id: "2:7" }, { id: undefined }]);
    expect(
      read(webexConnectEvents({ id: "correlationid" }), { events: [{ evtid: "1", correlationid: 5 }] }),
    ).toEqual([{ type: "1", id: "1:5", data: { evtid: "1", correlationid: "5", parameters: {} } }]);
  });

  it("says whether the list is missing or something in it is wrong", () => {
    const kindOf = (body: unknown) => (read(webexConnectEvents(), body) as { kind?: string }).kind;
    for (const body of [{}, [], null, "events", 5]) expect(kindOf(body)).toBe("7003 events");
    const wrong = [
      { events: [] },
      { events: {} },
      { events: "x" },
      { events: [null] },
      { events: [{}] },
      { events: [{ evtid: "" }] },
      { events: [{ evtid: 1.5 }] },
      { events: [{ evtid: ["1"] }] },
      { events: [{ evtid: "1", correlationid: {} }] },
      { events: [{ evtid: "1", correlationid: "x".repeat(51) }] },
      { events: [{ evtid: "1", correlationid: "é".repeat(26) }] },
      { events: [{ evtid: "1", parameters: [] }] },
      { events: [{ evtid: "1", parameters: "x" }] },
      { events: [{ evtid: "1" }, { evtid: true }] },
    ];
    for (const body of wrong) expect(kindOf(body)).toMatch(/^7004 (events|evtid|correlationid|parameters)$/);
    expect(kindOf({ events: [{ evtid: "1", correlationid: "x".repeat(50) }] })).toBeUndefined();
  });

  it("reads back what it composes", () => {
    const source = webexConnectEvents();
    const data = { correlationid: "c", parameters: { a: 1 } };
    const composed = source.compose?.({ type: "1789", id: "i", data, nowMs: 0 });
    expect(read(source, JSON.parse(composed?.body ?? ""))).toEqual([
      { type: "1789", id: undefined, data: { evtid: "1789", ...data } },
    ]);
  });
});

describe("what any JSON says", () => {
  const item = fc.record(
    { evtid: fc.jsonValue(), correlationid: fc.jsonValue(), parameters: fc.jsonValue() },
    { requiredKeys: [] },
  );
  const request = fc.oneof(fc.jsonValue(), fc.record({ events: fc.oneof(fc.array(item), fc.jsonValue()) }));
  const sources = [webexConnectEvents({ id: "parameters.id" }), webexConnect({ type: "a.b", id: "a.0.b" })];

  it("G01 is an event of the shape that its type says, or a fault, and never throws", () => {
    fc.assert(
      fc.property(request, (body) => {
        for (const source of sources) {
          const found = read(source, body) as readonly { type: unknown; data: unknown }[] | { fault: string };
          if ("fault" in found) continue;
          for (const { type } of found) expect(typeof type).toBe("string");
        }
        const events = read(webexConnectEvents(), body) as readonly { data: Record<string, unknown> }[];
        for (const { data } of Array.isArray(events) ? events : []) {
          expect(data).toMatchObject({ evtid: expect.any(String), parameters: expect.any(Object) });
          expect(["string", "undefined"]).toContain(typeof data.correlationid);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("webexConnectAnswer", () => {
  it("answers what was taken with 1002 for each event, also a repetition and what nobody wants", () => {
    for (const status of ["handled", "accepted", "duplicate", "ignored"] as const) {
      expect(webexConnectAnswer(outcomeOf({ status, events: [eventNamed()] }))).toEqual({
        status: 200,
        body: { response: [{ code: "1002", description: "Queued", transid: requestId }] },
      });
    }
  });

  it("gives several events a transid each, and their own correlationid back", () => {
    const events = [eventNamed("a"), eventNamed()];
    const { answer } = webexConnectEvents({ answers: "webex" });
    expect(answer?.(outcomeOf({ events }))?.body).toEqual({
      response: [
        { code: "1002", description: "Queued", transid: `${requestId}_0`, correlationid: "a" },
        { code: "1002", description: "Queued", transid: `${requestId}_1` },
      ],
    });
  });

  it("does not give an inbound webhook's data back", () => {
    const answer = webexConnect({ answers: "webex" }).answer?.(outcomeOf({ events: [eventNamed("a")] }));
    expect(JSON.stringify(answer)).not.toContain("correlationid");
  });

  it("leaves the answer to us unless it is asked for", () => {
    for (const source of [webexConnect(), webexConnect({ answers: "http" }), webexConnectEvents()]) {
      expect(source.answer?.(outcomeOf({ events: [] }))).toBeUndefined();
      expect(source.answer?.(outcomeOf({ code: "ERR_KEY_INVALID" }))).toBeUndefined();
    }
  });

  const table: readonly (readonly [ErrorCode, string, number, Partial<SourceOutcome>?])[] = [
    ["ERR_ADDRESS_REFUSED", "7010", 200],
    ["ERR_HEADER_MALFORMED", "7001", 200],
    ["ERR_CREDENTIAL_IN_QUERY", "7001", 200],
    ["ERR_CREDENTIAL_REPEATED", "7001", 200],
    ["ERR_CREDENTIAL_MISSING", "7002", 200],
    ["ERR_TOKEN_INVALID", "7001", 200],
    ["ERR_KEY_INVALID", "7001", 200],
    ["ERR_SIGNATURE_INVALID", "7028", 400, { signatureFault: "mismatch" }],
    ["ERR_SIGNATURE_INVALID", "7028", 400, { signatureFault: "malformed" }],
    ["ERR_SIGNATURE_INVALID", "7029", 400, { signatureFault: "missing" }],
    ["ERR_TOO_MANY_FAILURES", "7020", 200],
    ["ERR_CREDENTIALS_UNAVAILABLE", "7005", 503],
    ["ERR_MEDIA_TYPE", "7000", 415],
    ["ERR_BODY_TOO_LARGE", "430", 413],
    ["ERR_BODY_CONSUMED", "7005", 500],
    ["ERR_BODY_MALFORMED", "7000", 200],
    ["ERR_BODY_MALFORMED", "7027", 200, { bodyKind: "xml" }],
    ["ERR_EVENT_INVALID", "7004", 200],
    ["ERR_EVENT_CONFLICT", "7004", 409],
    ["ERR_HANDLER_FAILED", "7005", 500],
    ["ERR_HANDLER_TIMEOUT", "7005", 503],
    ["ERR_OVERLOADED", "7020", 200],
    ["ERR_STORE_UNAVAILABLE", "7005", 503, { events: [eventNamed()] }],
    ["ERR_STOPPED", "7005", 503],
    ["ERR_INTERNAL", "7005", 500],
  ];

  it.each(table)("answers %s with %s and status %s", (code, vendors, status, over = {}) => {
    const answer = webexConnectAnswer(outcomeOf({ code, ...over }));
    expect(answer?.status).toBe(status);
    expect(answer?.body).toEqual({
      response: { code: vendors, description: expect.stringMatching(/^[A-Z]/), transid: requestId },
    });
  });

  it("says when to come again with a 503", () => {
    const answer = webexConnectAnswer(outcomeOf({ code: "ERR_STORE_UNAVAILABLE" }));
    expect(answer?.headers).toEqual({ "Retry-After": "5" });
  });

  it.each(["ERR_METHOD", "ERR_HEADERS_TOO_LARGE", "ERR_BODY_TIMEOUT", "ERR_BODY_ABORTED"] as const)(
    "leaves %s to us: the vendor's API has no word for it",
    (code) => expect(webexConnectAnswer(outcomeOf({ code }))).toBeUndefined(),
  );

  it("has an answer, or says that it has none, for every code there is", () => {
    const left = ["ERR_METHOD", "ERR_HEADERS_TOO_LARGE", "ERR_BODY_TIMEOUT", "ERR_BODY_ABORTED"];
    const named = new Set([...table.map(([code]) => code), ...left]);
    expect([...named].sort()).toEqual(Object.keys(errorTable).sort());
  });

  it("answers each event where its data breaks the schema", () => {
    const events = [eventNamed("a"), eventNamed("b")];
    const answer = webexConnectEvents({ answers: "webex" }).answer?.(
      outcomeOf({ code: "ERR_EVENT_INVALID", events }),
    );
    expect(answer).toMatchObject({
      status: 200,
      body: {
        response: [
          { code: "7025", correlationid: "a" },
          { code: "7025", correlationid: "b" },
        ],
      },
    });
  });

  it("names the member that is missing or wrong, as the vendor's samples do", () => {
    const said = (faultKind: string) =>
      webexConnectAnswer(outcomeOf({ code: "ERR_EVENT_INVALID", faultKind }));
    const of = (code: string, description: string) => ({ code, description, transid: requestId });
    expect(said("7003 events")).toEqual({
      status: 200,
      body: { response: of("7003", "Mandatory parameter 'events' missing") },
    });
    expect(said("7004 events")?.body).toEqual({ response: of("7004", "invalid value for param events") });
    expect(said("7004 evtid")?.body).toEqual({ response: [of("7004", "invalid value for param evtid")] });
  });

  it("speaks for routers too", () => {
    expect(webexConnectResponse("7008", requestId)).toEqual({
      status: 200,
      body: {
        response: {
          code: "7008",
          description: "Request received on an invalid or unsaved event endpoint",
          transid: requestId,
        },
      },
    });
  });
});

describe("webexConnectServiceJwt", () => {
  it("knows the vendor's rules and passes the lifetime on", () => {
    const expiresAt = new Date(0);
    expect(
      webexConnectServiceJwt({
        id: "2026",
        serviceId: "SID",
        secret: "c2VjcmV0",
        state: "inactive",
        expiresAt,
      }),
    ).toEqual({
      id: "2026",
      issuer: "SID",
      secret: { base64: "c2VjcmV0" },
      algorithms: ["HS256"],
      maxAge: "60m",
      maxLifetime: "3650d",
      state: "inactive",
      expiresAt,
    });
  });

  it("refuses options that cannot be meant", () => {
    const secretBase64 = "c2VjcmV0";
    const wrong: readonly unknown[] = [
      undefined,
      {},
      { serviceId: "", secret: secretBase64 },
      { serviceId: "SID", secret: undefined },
      { serviceId: "SID", secret: { base64: secretBase64 } },
      { serviceId: "SID", secret: secretBase64, audience: "a" },
      { serviceId: "SID", secret: secretBase64, insecureShortSecret: "yes" },
    ];
    for (const options of wrong) expect(() => webexConnectServiceJwt(options as never)).toThrow(TypeError);
  });
});
