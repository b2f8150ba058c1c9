import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { expectTypeOf } from "expect-type";
import twilioNode from "twilio";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import {
  type TwilioEventMap,
  type TwilioMessage,
  type TwilioOptions,
  twilio,
} from "../../../src/sources/twilio.js";
import type { SignatureScheme } from "../../../src/types/signature.js";
import type { SourceOutcome } from "../../../src/types/source.js";
import { requestOf, type SentHeaders, wordOf } from "../signatures/signed-request.js";
import { eventsOf, faultOf } from "./cloudevents-request.js";

const secret = "0123456789abcdef0123456789abcdee";
const publicUrl = "https://hooks.example.com";
const source = twilio({ secret, publicUrl });
const form = { "content-type": "application/x-www-form-urlencoded" };
const json = { "content-type": "application/json" };

interface Asked {
  readonly url?: string;
  readonly type?: string;
  readonly options?: TwilioOptions;
}

async function check(signature: string | readonly string[] | undefined, body: string, asked: Asked = {}) {
  const { url = "/sms", type = form["content-type"], options = { secret, publicUrl } } = asked;
  const gate = createSignatureGate(twilio(options).signature as SignatureScheme, "twilio");
  const signed: SentHeaders = signature === undefined ? {} : { "X-Twilio-Signature": signature };
  return wordOf(await gate(requestOf({ "Content-Type": type, ...signed }, body, { url }), 0));
}

function sign(url: string, body: string, more: { key?: string; hash?: string } = {}): string {
  const fields = [...new URLSearchParams(body)].sort(([one], [other]) => (one < other ? -1 : 1));
  return createHmac(more.hash ?? "sha1", more.key ?? secret)
    .update(url + fields.flat().join(""))
    .digest("base64");
}

const sha256 = (body: string): string => createHash("sha256").update(body).digest("hex");

describe("the signature of Twilio", () => {
  const call =
    "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212";

  it("is that of the published example", async () => {
    const options = { secret: "12345", publicUrl: "https://mycompany.com", insecureShortSecret: true };
    const asked = { url: "/myapp.php?foo=1&bar=2", options };
    expect(await check("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", call, asked)).toBe("secret-1");
    expect(await check("RSOYDt4T1cUTdK1PDd93/VVr8B8=", call, asked)).toBe("mismatch");
  });

  it("is what twilio's own package makes and takes, repeated fields too", async () => {
    for (const [body, params] of [
      ["Body=&From=%2B1&To=%2B2", { Body: "", From: "+1", To: "+2" }],
      ["b=2&MediaUrl=z&MediaUrl=a&MediaUrl=z&B=1", { b: "2", MediaUrl: ["z", "a", "z"], B: "1" }],
      ["Body=%F0%9F%98%80+%C3%A9%0D%0A", { Body: "😀 é\r\n" }],
    ] as const) {
      const url = `${publicUrl}/sms?a=%27x%27&b='y'`;
      const theirs = twilioNode.getExpectedTwilioSignature(secret, url, params);
      expect(await check(theirs, body, { url: "/sms?a=%27x%27&b='y'" })).toBe("secret-1");
    }
    const body = "From=%2B1&To=%2B2";
    const params = { From: "+1", To: "+2" };
    expect(
      twilioNode.validateRequest(secret, sign(`${publicUrl}/sms`, body), `${publicUrl}/sms`, params),
    ).toBe(true);
  });

  it("holds with the port and without it, as Twilio signs either way", async () => {
    const withPort = { secret, publicUrl: "https://hooks.example.com:8443" };
    for (const [signedUrl, options, word] of [
      ["https://hooks.example.com/sms", undefined, "secret-1"],
      ["https://hooks.example.com:443/sms", undefined, "secret-1"],
      ["https://hooks.example.com:80/sms", undefined, "mismatch"],
      ["https://hooks.example.com:8443/sms", withPort, "secret-1"],
      ["https://hooks.example.com/sms", withPort, "secret-1"],
      ["https://hooks.example.com:443/sms", withPort, "mismatch"],
      ["http://hooks.example.com:80/sms", { secret, publicUrl: "http://hooks.example.com" }, "secret-1"],
      ["https://[2001:db8::1]:443/sms", { secret, publicUrl: "https://[2001:db8::1]" }, "secret-1"],
    ] as const) {
      const asked = options === undefined ? {} : { options };
      expect(await check(sign(signedUrl, call), call, asked)).toBe(word);
    }
  });

  it("covers the public URL with its query, whatever Host says (ATTACKS E26)", async () => {
    const good = sign(`${publicUrl}/sms?tenant=1`, call);
    expect(await check(good, call, { url: "/sms?tenant=1" })).toBe("secret-1");
    expect(await check(good, call, { url: "/sms?tenant=2" })).toBe("mismatch");
    expect(await check(sign("https://evil.example/sms", call), call)).toBe("mismatch");
  });

  it("is refused where it is missing, doubled, cut, or of another alphabet (ATTACKS F01)", async () => {
    const good = sign(`${publicUrl}/sms`, call);
    expect(await check(undefined, call)).toBe("missing");
    expect(await check([good, good], call)).toBe("malformed");
    for (const other of [
      good.slice(0, -1),
      good.slice(0, 4),
      `${good} `,
      Buffer.from(good, "base64").toString("hex"),
    ]) {
      expect(await check(other, call)).toBe("malformed");
    }
  });

  it("covers every field of a form", async () => {
    const good = sign(`${publicUrl}/sms`, call);
    for (const other of [
      call.replace("1234&", "1235&"),
      `${call}&x=`,
      call.replace("&Digits=1234", ""),
      "",
    ]) {
      expect(await check(good, other)).toBe("mismatch");
    }
    expect(await check(good, `${call}&x=%`)).toBe("malformed");
  });

  describe("of a JSON body", () => {
    const body = '[{"specversion":"1.0","type":"com.twilio.messaging.message.sent","id":"EZ1"}]';
    const url = `/events?a=1&bodySHA256=${sha256(body)}`;
    const type = json["content-type"];
    const good = sign(publicUrl + url, "");

    it("is over the URL, which holds the body's hash", async () => {
      expect(await check(good, body, { url, type })).toBe("secret-1");
      expect(twilioNode.validateRequestWithBody(secret, good, publicUrl + url, body)).toBe(true);
      const theirs = twilioNode.getExpectedTwilioSignature(secret, publicUrl + url, {});
      expect(await check(theirs, body, { url, type })).toBe("secret-1");
    });

    it("is refused for another body, and where nothing vouches for it (ATTACKS F03)", async () => {
      expect(await check(good, `${body} `, { url, type })).toBe("mismatch");
      expect(await check(sign(`${publicUrl}/events`, ""), body, { url: "/events", type })).toBe("malformed");
      const twice = `${url}&bodySHA256=${sha256(`${body} `)}`;
      expect(await check(sign(publicUrl + twice, ""), body, { url: twice, type })).toBe("malformed");
      const upper = `/events?bodySHA256=${sha256(body).toUpperCase()}`;
      expect(await check(sign(publicUrl + upper, ""), body, { url: upper, type })).toBe("mismatch");
    });

    it("does not pass as an empty form, nor a form as JSON", async () => {
      expect(await check(good, "", { url })).toBe("mismatch");
      expect(await check(sign(`${publicUrl}/sms`, "a=1"), "a=1", { type })).toBe("malformed");
      expect(await check(good, body, { url, type: "application/x-www-form-urlencodedx" })).toBe("secret-1");
      expect(
        await check(sign(`${publicUrl}/sms`, ""), "", { type: "application/x-www-form-urlencodedx" }),
      ).toBe("malformed");
    });
  });

  describe("with a SharedKey", () => {
    const sharedKey = "shared-key-secret-0123456789abcdef";
    const url = `${publicUrl}/sms`;
    const byKey = sign(url, call, { key: sharedKey, hash: "sha256" });

    it("is HMAC-SHA-256, and SHA-1 no longer passes (ATTACKS F06)", async () => {
      const options = { sharedKey, publicUrl };
      expect(await check(byKey, call, { options })).toBe("secret-1");
      expect(await check(sign(url, call, { key: sharedKey }), call, { options })).toBe("malformed");
      expect(await check(sign(url, call), call, { options })).toBe("malformed");
    });

    it("and the auth token each sign in their own way while both are taken", async () => {
      const options = { secret, sharedKey, publicUrl };
      expect(await check(byKey, call, { options })).toBe("secret-1");
      expect(await check(sign(url, call), call, { options })).toBe("secret-1");
      expect(await check(sign(url, call, { hash: "sha256" }), call, { options })).toBe("mismatch");
      expect(await check(sign(url, call, { key: sharedKey }), call, { options })).toBe("mismatch");
    });
  });
});

describe("the events of Twilio", () => {
  it.each([
    ["MessageSid=SM1&SmsStatus=received&Body=hi&NumMedia=0", "message.received", "SM1:received"],
    ["SmsSid=SM1&Body=hi", "message.received", "SM1:received"],
    ["MessageSid=SM1&SmsStatus=sent&MessageStatus=delivered", "message.delivered", "SM1:delivered"],
    ["MessageSid=SM1&MessageStatus=read&EventType=READ", "message.read", "SM1:read"],
    ["MessageSid=IM1&EventType=onMessageAdded&ConversationSid=CH1", "event.onMessageAdded", undefined],
    ["EventType=task.created&TaskSid=WT1", "event.task.created", undefined],
    ["CallSid=CA1&CallStatus=ringing&Direction=inbound", "call.ringing", undefined],
    ["CallSid=CA1&CallStatus=completed&SequenceNumber=3", "call.completed", "CA1:completed:3"],
    ["CallSid=CA1&RecordingSid=RE1&RecordingStatus=completed", "recording.completed", "RE1:completed"],
    [
      "ConferenceSid=CF1&CallSid=CA1&StatusCallbackEvent=participant-join&SequenceNumber=1",
      "conference.participant-join",
      "CF1:participant-join:1",
    ],
    ["ConferenceSid=CF1&StatusCallbackEvent=conference-end", "conference.conference-end", undefined],
    ["Sid=NO1&Level=ERROR", "form", undefined],
    ["constructor=MessageSid", "form", undefined],
  ])("of the form %s are %s", (body, type, id) => {
    expect(eventsOf(source, form, body)).toEqual([
      { type, id, data: Object.fromEntries(new URLSearchParams(body)) },
    ]);
  });

  it("of Event Streams are each element of the list", () => {
    const one = { specversion: "1.0", type: "com.twilio.messaging.message.sent", id: "EZ1", data: {} };
    const two = { ...one, type: "com.twilio.voice.insights.call-summary.complete", id: "EZ2" };
    expect(eventsOf(source, json, JSON.stringify([one, two]))).toEqual([
      { type: one.type, id: "EZ1", data: one },
      { type: two.type, id: "EZ2", data: two },
    ]);
    expect(eventsOf(source, json, JSON.stringify(one))).toHaveLength(1);
    expect(eventsOf(source, json, "[]")).toEqual([]);
  });

  it("are refused whole where one of the list is none of Twilio's", () => {
    expect(faultOf(source, json, '[{"type":"com.twilio.a"},{"id":"x"}]')).toMatch(/no type/);
    expect(faultOf(source, json, '[{"type":"message.received"}]')).toMatch(/none of Twilio's/);
    expect(faultOf(source, json, "1")).toMatch(/no type/);
  });

  it("are typed by name", () => {
    expectTypeOf<TwilioEventMap["message.received"]>().toEqualTypeOf<TwilioMessage>();
    expectTypeOf<TwilioEventMap["com.twilio.messaging.message.sent"]["id"]>().toEqualTypeOf<string>();
  });
});

describe("Twilio is answered", () => {
  const outcome = {
    code: undefined,
    signatureFault: undefined,
    httpStatus: 202,
    requestId: "r",
    bodyKind: "form",
    events: [],
  } satisfies Omit<SourceOutcome, "status">;

  it("with empty TwiML where it sent a form, as anything else is error 12300", () => {
    for (const status of ["handled", "accepted", "duplicate", "ignored"] as const) {
      const answer = source.answer?.({ ...outcome, status });
      expect(answer?.status).toBe(200);
      expect(answer?.headers).toEqual({ "content-type": "text/xml; charset=utf-8" });
      const empty = new twilioNode.twiml.MessagingResponse().toString();
      expect(answer?.body).toBe(empty);
    }
  });

  it("as usual for Event Streams, and where something failed", () => {
    expect(source.answer?.({ ...outcome, status: "accepted", bodyKind: "json" })).toBeUndefined();
    expect(source.answer?.({ ...outcome, status: "failed" })).toBeUndefined();
    expect(source.answer?.({ ...outcome, status: "refused", bodyKind: undefined })).toBeUndefined();
  });
});

describe("twilio()", () => {
  it.each([
    ["neither secret nor sharedKey", { publicUrl }],
    ["an empty secret (ATTACKS F07)", { secret: "", publicUrl }],
    ["a short secret", { secret: "12345", publicUrl }],
    ["no publicUrl", { secret }],
    ["a publicUrl with a query", { secret, publicUrl: "https://a.example/?b" }],
    ["an unknown option", { secret, publicUrl, authToken: secret }],
  ])("refuses %s", (_, options) => {
    expect(() => twilio(options as never)).toThrow(TypeError);
  });

  it.each([
    ["message.received", "SM1:received"],
    ["message.delivered", "SM1:delivered"],
    ["recording.completed", "RE1:completed"],
    ["com.twilio.messaging.message.sent", "EZ1"],
  ])("composes %s as it reads it", (type, id) => {
    const sent = source.compose?.({ type, id, data: { Body: "a b&c" }, nowMs: 0 });
    const [event] = eventsOf(source, { "content-type": sent?.contentType as string }, sent?.body as string);
    expect(event).toMatchObject({ type, id });
  });

  it("adds the hash of a body that is no form to the URL, once", () => {
    const rawBody = Buffer.from("[]");
    const hash = `bodySHA256=${sha256("[]")}`;
    const url = (given: string, contentType: string) => source.composeUrl?.(given, { contentType, rawBody });
    expect(url("/events", "application/json")).toBe(`/events?${hash}`);
    expect(url("/events?a=1", "application/json")).toBe(`/events?a=1&${hash}`);
    expect(url(`/events?${hash}`, "application/json")).toBe(`/events?${hash}`);
    expect(url("/sms", "application/x-www-form-urlencoded; charset=utf-8")).toBe("/sms");
  });

  it.each(["call.completed", "conference.conference-end", "event.onMessageAdded", "form"])(
    "composes %s, whose id is no single field",
    (type) => {
      const sent = source.compose?.({ type, id: "x", data: { A: ["1", "2"] }, nowMs: 0 });
      const [event] = eventsOf(source, form, sent?.body as string);
      expect(event).toMatchObject({ type, data: { A: ["1", "2"] } });
    },
  );
});
