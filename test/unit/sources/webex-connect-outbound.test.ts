import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { type WebexConnectOutboundOptions, webexConnectOutbound } from "hookgate/webex-connect-outbound";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import type { SourceEvent, SourceOutcome } from "../../../src/types/source.js";
import { requestOf, wordOf } from "../signatures/signed-request.js";

interface Sample {
  readonly page: string;
  readonly name: string;
  readonly type: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly data: object;
}
const vectors = new URL("../../vectors/webex-connect-outbound.json", import.meta.url);
const { samples } = JSON.parse(readFileSync(vectors, "utf8")) as { readonly samples: readonly Sample[] };
const sampleOf = (type: string): Sample => samples.find((sample) => sample.type === type) as Sample;

const secret = "hub-secret-of-more-than-24-bytes";
const source = webexConnectOutbound({ secret });
const parsed = (body: unknown) => ({ body, kind: "json" as const, headers: {} });
const read = (body: unknown) => source.events(parsed(body)) as readonly SourceEvent[];
const only = (body: unknown): SourceEvent => {
  const [event, ...more] = read(body);
  expect(more).toEqual([]);
  return event as SourceEvent;
};

describe("the events of webexConnectOutbound", () => {
  it("reads each documented sample: its type, and its data in one spelling", () => {
    expect(samples).toHaveLength(105);
    for (const { page, name, type, body, data } of samples) {
      expect({ page, name, event: only(body) }).toMatchObject({ page, name, event: { type, data } });
    }
  });

  it("gives an id to each sample, none of them twice", () => {
    const ids = samples.map(({ body }) => only(body).id);
    expect(new Set(ids).size).toBe(new Set(samples.map(({ body }) => JSON.stringify(body))).size);
    expect(ids.every((id) => typeof id === "string" && id.length > 0 && id.length < 255)).toBe(true);
  });

  it("keeps the id over whatever spelling and further members a retry has", () => {
    const { body } = sampleOf("message.sms.received");
    const { userld, Channel, ...rest } = body as Record<string, unknown>;
    const again = { ...rest, channel: Channel, userId: userld, added: { in: "a later version" } };
    expect(only(again)).toMatchObject({ id: only(body).id, data: { userId: "8765", channel: "sms" } });
  });

  it.each([
    ["another recipient of an email", { destination: "second@domain.tld" }],
    ["a second click", { timeStamp: "2016-07-21T12:44:24.644Z" }],
    ["a click on another link", { Description: "https://your.link.tld/other|192.0.2.1" }],
  ])("tells %s from the first, in one transaction", (_what, change) => {
    const { body } = sampleOf("receipt.email.clicked");
    const { deliveryInfoNotification: notification } = body as {
      deliveryInfoNotification: { deliveryInfo: object };
    };
    const other = {
      deliveryInfoNotification: {
        ...notification,
        deliveryInfo: { ...notification.deliveryInfo, ...change },
      },
    };
    expect(only(other).type).toBe("receipt.email.clicked");
    expect(only(other).id).not.toBe(only(body).id);
  });

  it("tells two messages of one sender apart that share their `tid`", () => {
    const { body } = sampleOf("message.sms.received");
    expect(only({ ...body, message: "another" }).id).not.toBe(only(body).id);
    expect(only({ ...body, ts: "2024-01-07T14:36:10.266Z" }).id).not.toBe(only(body).id);
  });

  it("leaves the id to the bytes where there is no transaction, or one that is too long", () => {
    const receipt = (transid: unknown) => ({
      deliveryInfoNotification: { deliveryInfo: { deliveryChannel: "sms" }, transid },
    });
    for (const transid of [undefined, "", null, "x".repeat(151)]) {
      expect(only(receipt(transid)).id).toBeUndefined();
    }
    expect(only({ channel: "sms" }).id).toBeUndefined();
  });

  it("puts nothing of a person into the id", () => {
    for (const { body } of samples) {
      expect(only(body).id).toMatch(/^[\w-]{1,60}:[a-z_]+:[0-9a-f]{16}$/);
    }
  });

  it("turns a list of notifications into several events, in their order", () => {
    const bodies = samples.slice(0, 3).map(({ body }) => body);
    expect(read(bodies).map(({ type }) => type)).toEqual(samples.slice(0, 3).map(({ type }) => type));
    expect(read([])).toEqual([]);
  });
});

describe("what the documentation does not name", () => {
  it.each([
    ["sms", "Expired", "receipt.sms.expired"],
    ["LINE", "Un-Delivered", "receipt.line.undelivered"],
    ["Google Business Messages", "READ BY USER", "receipt.google_business_messages.read_by_user"],
    [undefined, undefined, "receipt.unknown.unknown"],
    ["", "  ", "receipt.unknown.unknown"],
    [7, {}, "receipt.unknown.unknown"],
    ["__proto__", "constructor", "receipt.proto.constructor"],
  ])("G01 makes a type of channel %p and status %p", (deliveryChannel, deliveryStatus, type) => {
    const body = { deliveryInfoNotification: { deliveryInfo: { deliveryChannel, deliveryStatus } } };
    expect(only(body).type).toBe(type);
  });

  it("G01 caps the names of channels and statuses", () => {
    const info = { deliveryChannel: "x".repeat(1_000_000), deliveryStatus: "Aa".repeat(500_000) };
    const { type } = only({ deliveryInfoNotification: { deliveryInfo: info } });
    expect(type).toBe(`receipt.${"x".repeat(60)}.aa${"_aa".repeat(29)}`);
    expect(type.length).toBeLessThan(200);
  });

  it.each([
    ["OnNewThing", "new_thing"],
    ["SOMETHING", "something"],
    ["", "received"],
    [null, "received"],
    [{}, "unknown"],
  ])("makes a type of the incoming event %p", (event, name) => {
    expect(only({ channel: "viber", event }).type).toBe(`message.viber.${name}`);
  });

  it("hands on a notification of neither kind as it came, under `other`", () => {
    const body = { callId: "1", direction: "inbound" };
    expect(only(body)).toEqual({ type: "other", data: body });
    expect(only({ deliveryInfoNotification: "text" }).type).toBe("other");
    expect(only({}).type).toBe("other");
  });

  it.each([["text"], [7], [null], [[{}, "text"]], [[[]]]])("refuses %p, which is no notification", (body) => {
    expect(source.events(parsed(body))).toEqual({ fault: "the body is no object and no list of objects" });
  });
});

describe("the data of webexConnectOutbound", () => {
  const sms = (info: object, more: object = {}) =>
    only({ deliveryInfoNotification: { deliveryInfo: { deliveryChannel: "SMS", ...info }, ...more } })
      .data as Record<string, unknown>;

  it("has every text its type names: empty where it was left out, text where it was something else", () => {
    const data = sms({ code: 7500, destination: null, Description: { a: [1] } }, { callbackData: true });
    expect(data).toMatchObject({ code: "7500", destination: "", description: '{"a":[1]}', carrier: "" });
    expect(data).toMatchObject({ callbackData: "true", transId: "", messageCount: "" });
  });

  it("keeps members it does not know, under their own names", () => {
    expect(sms({ newInfo: { a: 1 } }, { upgradeResult: "RCS" })).toMatchObject({
      newInfo: { a: 1 },
      upgradeResult: "RCS",
    });
  });

  it("prefers the documented spelling, and what says something, where a member came twice", () => {
    expect(sms({ Description: "one", description: "two" })).toMatchObject({ description: "two" });
    expect(sms({ transid: "" }, { transid: "outer" })).toMatchObject({ transId: "outer" });
    expect(sms({ transid: "inner" }, { transid: "outer" })).toMatchObject({ transId: "inner" });
  });

  it("E17 keeps __proto__ as data and sets no prototype", () => {
    const body = JSON.parse('{"channel":"sms","__proto__":{"polluted":true},"tid":"1"}') as object;
    const data = only(body).data as object;
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.keys(data)).toContain("__proto__");
    expect("polluted" in data).toBe(false);
  });

  it("says what should be JSON and is not, and hands on no half of it", () => {
    const whatsapp = (more: object) => only({ channel: "WhatsApp", ...more }).data;
    expect(whatsapp({ location: "{broken", attachments: "[1,{}]", contacts: 7 })).toMatchObject({
      location: undefined,
      attachments: [{ url: "", mimeType: "", name: "", details: {} }],
      contacts: [],
      undecoded: { location: "{broken", contacts: "7" },
    });
    expect(whatsapp({ location: '{"a":1,"a":2}' })).toMatchObject({ undecoded: expect.anything() });
    expect(whatsapp({})).not.toHaveProperty("undecoded");
  });

  it("leaves the text of an MMS alone that lists no files", () => {
    const data = only({ channel: "MMS", message: "just words" }).data;
    expect(data).toMatchObject({ message: "just words", attachments: [] });
    expect(data).not.toHaveProperty("undecoded");
  });

  it("takes one recipient of an email, several, and none", () => {
    const to = (value: unknown) => only({ channel: "email", to: value }).data;
    expect(to("a@b.tld")).toMatchObject({ to: ["a@b.tld"] });
    expect(to('["a@b.tld","c@d.tld"]')).toMatchObject({ to: ["a@b.tld", "c@d.tld"] });
    expect(to(undefined)).toMatchObject({ to: [] });
  });
});

describe("the hub signature", () => {
  const gateOf = (options: WebexConnectOutboundOptions) =>
    createSignatureGate(webexConnectOutbound(options).signature as never, "source.signature");
  const mac = (hash: string, body: string, key = secret) => createHmac(hash, key).update(body).digest("hex");
  const check = (header: string | undefined, body: string, gate = gateOf({ secret })) =>
    wordOf(gate(requestOf(header === undefined ? {} : { "X-Hub-Signature": header }, body), 0) as never);
  const body = '{"deliveryInfoNotification":{}}';

  it("F06 takes SHA-256 and SHA-512, behind their prefix or bare, and no SHA-1", () => {
    for (const hash of ["sha256", "sha512"]) {
      expect(check(`${hash}=${mac(hash, body)}`, body)).toBe("secret-1");
      expect(check(mac(hash, body), body)).toBe("secret-1");
    }
    for (const header of [mac("sha1", body), `sha1=${mac("sha1", body)}`, `sha256=${mac("sha1", body)}`]) {
      expect(check(header, body)).toBe("malformed");
    }
  });

  it("F01 F03 refuses every other header, and every other body", () => {
    const right = mac("sha256", body);
    for (const header of [
      ...[`sha512=${right}`, `sha256=${mac("sha512", body)}`, `SHA256=${right}`, `sha256= ${right}`],
      ...[right.toUpperCase(), right.slice(0, -1), right.slice(0, -2), `${right}00`, "sha256=", `${right} `],
    ]) {
      expect([header, check(header, body)]).toEqual([header, "malformed"]);
    }
    expect(check(undefined, body)).toBe("missing");
    expect(check("", body)).toBe("missing");
    expect(check(mac("sha256", body, `${secret}x`), body)).toBe("mismatch");
    for (const other of [`${body} `, `${body}\r\n`, ` ${body}`, body.replace("{}", "{ }"), ""]) {
      expect([other, check(right, other)]).toEqual([other, "mismatch"]);
    }
  });

  it("F03 with `trimmedBody` also takes one over the body without the white space at its ends", () => {
    const gate = gateOf({ secret, trimmedBody: true });
    const around = `\r\n ${body}\t\n`;
    expect(check(mac("sha256", body), around, gate)).toBe("secret-1");
    expect(check(mac("sha256", around), around, gate)).toBe("secret-1");
    expect(check(mac("sha256", body), body.replace("{}", "{ }"), gate)).toBe("mismatch");
    expect(check(mac("sha256", body), `\u00a0${body}`, gate)).toBe("mismatch");
    expect(check(mac("sha256", ""), " ", gate)).toBe("secret-1");
  });

  it("takes each of several secrets while they are rotated, and names it", () => {
    const gate = gateOf({ secret: [`${secret}-old`, { id: "new", secret: `${secret}-new` }] });
    expect(gate(requestOf({ "X-Hub-Signature": mac("sha256", body, `${secret}-new`) }, body), 0)).toEqual({
      keyId: "new",
    });
  });
});

describe("the options of webexConnectOutbound", () => {
  it("F07 takes no secret as a choice, and an unset variable as a mistake", () => {
    expect(webexConnectOutbound().signature).toBeUndefined();
    expect(webexConnectOutbound({}).signature).toBeUndefined();
    for (const given of [undefined, "", "short", [], 7, null]) {
      expect(() => webexConnectOutbound({ secret: given as never })).toThrow(/^webexConnectOutbound\.secret/);
    }
    expect(webexConnectOutbound({ secret: "short", insecureShortSecret: true }).signature).toBeDefined();
  });

  it("refuses what is no option, and flags that are no flags", () => {
    expect(() => webexConnectOutbound({ secrets: secret } as never)).toThrow(/did you mean "secret"/);
    expect(() => webexConnectOutbound({ secret, trimmedBody: "yes" } as never)).toThrow(/must be true/);
    expect(() => webexConnectOutbound(null as never)).toThrow(/must be an object/);
  });
});

describe("the answers of webexConnectOutbound", () => {
  const answer = (more: Partial<SourceOutcome>) =>
    source.answer?.({
      ...{ status: "refused", code: undefined, signatureFault: undefined, httpStatus: 200 },
      ...{ requestId: "r", bodyKind: "json", events: [{ type: "other", id: "e1", data: {} }] },
      ...more,
    });

  it("says 200 wherever the usual answer is another success", () => {
    const body = { status: "accepted", id: "e1" };
    expect(answer({ status: "accepted", httpStatus: 202 })).toEqual({ status: 200, body });
    expect(answer({ status: "ignored", httpStatus: 202 })?.status).toBe(200);
    expect(answer({ status: "handled" })).toBeUndefined();
    expect(answer({ status: "accepted", httpStatus: 202, events: [] })?.body).toEqual({
      ...{ status: "accepted", ids: [] },
    });
  });

  it("asks for no retry of what stays wrong, and for one of what came too slowly", () => {
    expect(answer({ code: "ERR_EVENT_INVALID", httpStatus: 422 })?.status).toBe(400);
    expect(answer({ code: "ERR_BODY_TOO_LARGE", httpStatus: 413 })?.status).toBe(400);
    expect(answer({ code: "ERR_BODY_TIMEOUT", httpStatus: 408 })?.status).toBe(503);
    for (const [code, httpStatus] of [
      ...([
        ["ERR_SIGNATURE_INVALID", 401],
        ["ERR_ADDRESS_REFUSED", 403],
        ["ERR_METHOD", 405],
      ] as const),
      ...([
        ["ERR_OVERLOADED", 503],
        ["ERR_HANDLER_FAILED", 500],
        ["ERR_BODY_MALFORMED", 400],
      ] as const),
    ]) {
      expect(answer({ code, httpStatus })).toBeUndefined();
    }
  });

  it("answers HEAD alone before there is a delivery", () => {
    const shake = (method: string) => source.handshake?.({ method, url: "/", headers: {}, body: undefined });
    expect(shake("HEAD")).toEqual({ status: 200 });
    for (const method of ["GET", "POST", "PUT", "OPTIONS"]) expect(shake(method)).toBeUndefined();
  });
});

describe("what webexConnectOutbound composes", () => {
  const compose = (type: string, data: unknown) =>
    only(JSON.parse(source.compose?.({ type, id: "t-1", data, nowMs: 0 }).body ?? ""));

  it("reads back as the type that was asked for, of data as handlers see it", () => {
    for (const { type, body } of samples) {
      const { data } = only(body);
      const { deliveryChannel, deliveryStatus, ...rest } = data as Record<string, unknown>;
      expect(compose(type, data)).toMatchObject({ type, data: rest });
    }
  });

  it("sends a documented notification as it is, and fills in transaction and time", () => {
    const { type, body } = sampleOf("receipt.sms.delivered");
    expect(compose(type, body)).toEqual(only(body));
    expect(compose("receipt.rcs.read", {})).toMatchObject({
      type: "receipt.rcs.read",
      data: { transId: "t-1", timestamp: "1970-01-01T00:00:00.000Z" },
    });
    expect(compose("message.sms.received", { message: "hi" })).toMatchObject({
      data: { tid: "t-1", message: "hi" },
    });
    expect(compose("other", { a: 1 })).toEqual({ type: "other", data: { a: 1 } });
  });
});
