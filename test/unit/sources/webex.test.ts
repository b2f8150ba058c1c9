import { createHmac } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { webex } from "hookgate/webex";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import type { SourceEvent, SourceOutcome } from "../../../src/types/source.js";
import { requestOf, wordOf } from "../signatures/signed-request.js";

const secret = "webex-secret-of-more-than-24-bytes";
const source = webex({ secret });
const read = (body: unknown) => source.events({ body, kind: "json", headers: {} });
const only = (body: unknown) => (read(body) as readonly SourceEvent[])[0] as SourceEvent;

// The notification of developer.webex.com/docs/receive-and-verify-webhooks, ids shortened.
const message = {
  id: "Y2lzY29zcGFyazovL3VzL1dFQkhPT0svZjRl",
  name: "New message in 'Project Unicorn' room",
  resource: "messages",
  event: "created",
  filter: "roomId=Y2lzY29zcGFyazovL3VzL1JPT00vYmJj",
  orgId: "OTZhYmMyYWEtM2RjYy0xMWU1LWExNTItZmUz",
  createdBy: "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9mNWIz",
  appId: "Y2lzY29zcGFyazovL3VzL0FQUExJQ0FUSU9O",
  ownedBy: "creator",
  status: "active",
  actorId: "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9mNWIz",
  data: {
    id: "Y2lzY29zcGFyazovL3VzL01FU1NBR0UvOTJkYjNiZTA",
    roomId: "Y2lzY29zcGFyazovL3VzL1JPT00vYmJj",
    personId: "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9mNWIz",
    personEmail: "matt@example.com",
    created: "2015-10-18T14:26:16.000Z",
  },
};
const withData = (data: object) => ({ ...message, data: { ...message.data, ...data } });

describe("webex", () => {
  it("hands on the whole notification, under its resource and event", () => {
    expect(read(message)).toEqual([
      {
        type: "messages.created",
        id: expect.stringMatching(/^Y2lzY29zcGFyazovL3VzL01FU1NBR0UvOTJkYjNiZTA:[0-9a-f]{32}$/),
        data: message,
      },
    ]);
  });

  it("takes a retry for the same event, though the registration was renamed or changed its filter meanwhile", () => {
    const { id } = only(message);
    expect(only({ ...message, name: "renamed", filter: undefined, status: "inactive" }).id).toBe(id);
    expect(source.deduplicateBy).toBe("id");
  });

  it.each([
    ["another registration", { ...message, id: "other" }],
    ["another event of the message", { ...message, event: "updated" }],
    ["another actor", { ...message, actorId: "other" }],
    ["another organisation", { ...message, orgId: "other" }],
    ["another message", withData({ id: "other" })],
    ["a second update of the message", withData({ updated: "2015-10-18T14:27:16.000Z" })],
    ["someone who left and came back", withData({ created: "2015-10-19T14:26:16.000Z" })],
    ["data that is not known", withData({ more: true })],
  ])("tells %s from it, as `id` is the registration's", (_what, body) => {
    expect(only(body).id).not.toBe(only(message).id);
  });

  it("makes ids of calls, which have no `id`, and of things with none at all", () => {
    const call = (eventTimestamp: string) =>
      only({ resource: "telephony_calls", event: "updated", data: { callId: "C1", eventTimestamp } });
    expect(call("2025-08-05T16:48:19.360Z").id).toMatch(/^C1:/);
    expect(call("2025-08-05T16:48:20.360Z").id).not.toBe(call("2025-08-05T16:48:19.360Z").id);
    const none = only({ resource: "uc_counters", event: "updated", data: {} });
    expect(none.id).toMatch(/^:[0-9a-f]{32}$/);
    expect(String(only(withData({ id: "x".repeat(100_000) })).id).length).toBeLessThan(40);
  });

  it("takes resources and events that are not known, with any data", () => {
    const body = { resource: "videoMeshAlerts", event: "triggered", data: { id: 7, anything: [null] } };
    expect(only(body)).toMatchObject({ type: "videoMeshAlerts.triggered", data: body });
  });

  it("G03 leaves out what is not of the kind that the type says, and nothing else", () => {
    const body = { ...message, resource: "memberships", name: 7, orgId: null, added: 1 };
    const data = { id: "m", isModerator: "yes", isMonitor: true, personEmail: ["a"], roomId: null, more: 1 };
    expect(only({ ...body, data }).data).toEqual({
      ...{ id: message.id, resource: "memberships", event: "created", filter: message.filter },
      ...{ createdBy: message.createdBy, appId: message.appId, ownedBy: "creator", status: "active" },
      ...{ actorId: message.actorId, added: 1, data: { id: "m", isMonitor: true, more: 1 } },
    });
    const calls = { resource: "telephony_calls", event: "created" };
    const party = (remoteParty: unknown) => only({ ...calls, data: { remoteParty } }).data;
    expect(party({ name: "A" })).toMatchObject({ data: { remoteParty: { name: "A" } } });
    expect(party("A")).toMatchObject({ data: {} });
  });

  it("hands on an empty `data` where there is none", () => {
    for (const data of [undefined, null, "text", [1]]) {
      expect(only({ resource: "rooms", event: "created", data }).data).toEqual({
        ...{ resource: "rooms", event: "created", data: {} },
      });
    }
  });

  it.each([
    [null],
    ["text"],
    [[message]],
    [{}],
    [{ resource: "rooms" }],
    [{ resource: "", event: "created" }],
    [{ resource: "rooms", event: 7 }],
    [Object.create({ resource: "rooms", event: "created" }) as unknown],
  ])("refuses %p, which does not say what happened to what", (body) => {
    expect(read(body)).toEqual({ fault: "the notification does not name its resource and its event" });
  });

  it("E17 keeps __proto__ as data", () => {
    const body = JSON.parse('{"resource":"rooms","event":"created","data":{"__proto__":{"a":1}}}') as object;
    const { data } = only(body).data as { readonly data: object };
    expect(Object.keys(data)).toEqual(["__proto__"]);
    expect("a" in data).toBe(false);
  });
});

describe("X-Spark-Signature", () => {
  const gate = createSignatureGate(source.signature as never, "source.signature");
  const body = JSON.stringify(message);
  const mac = (hash: string, key = secret) => createHmac(hash, key).update(body).digest("hex");
  const check = (headers: Record<string, string | string[]>, sent = body) =>
    wordOf(gate(requestOf(headers, sent), 0) as never);

  it("F03 takes HMAC-SHA-1 over the bytes alone", () => {
    expect(check({ "X-Spark-Signature": mac("sha1") })).toBe("secret-1");
    for (const other of [`${body} `, `${body}\r\n`, JSON.stringify(message, null, 1)]) {
      expect(check({ "X-Spark-Signature": mac("sha1") }, other)).toBe("mismatch");
    }
    expect(check({ "X-Spark-Signature": mac("sha1", `${secret}x`) })).toBe("mismatch");
  });

  it("F01 refuses every other header", () => {
    const right = mac("sha1");
    for (const header of [
      ...[`sha1=${right}`, right.toUpperCase(), right.slice(0, -1), right.slice(0, -2), `${right}00`],
      ...[`${right} `, mac("sha256"), "0"],
    ]) {
      expect([header, check({ "X-Spark-Signature": header })]).toEqual([header, "malformed"]);
    }
    expect(check({ "X-Spark-Signature": [right, right] })).toBe("malformed");
    for (const headers of [{}, { "X-Spark-Signature": "" }, { "X-Webex-Signature": mac("sha256") }]) {
      expect(check(headers as never)).toBe("missing");
    }
  });

  it("takes the secrets of several registrations, and names the one that signed", () => {
    const several = webex({ secret: [`${secret}-1`, { id: "rooms", secret }] });
    const gateOfSeveral = createSignatureGate(several.signature as never, "source.signature");
    expect(gateOfSeveral(requestOf({ "X-Spark-Signature": mac("sha1") }, body), 0)).toEqual({
      keyId: "rooms",
    });
  });
});

describe("the options and answers of webex", () => {
  it("F07 needs a secret that nobody guesses", () => {
    for (const given of [undefined, "", "short", []]) {
      expect(() => webex({ secret: given as never })).toThrow(/^webex\.secret/);
    }
    expect(() => webex({} as never)).toThrow(/is an environment variable missing/);
    expect(() => webex({ secret, algorithm: "sha256" } as never)).toThrow(/has no option "algorithm"/);
    expect(webex({ secret: "short", insecureShortSecret: true }).name).toBe("webex");
  });

  it("answers 200 where the usual answer is another success, and leaves refusals as they are", () => {
    const answer = (more: Partial<SourceOutcome>) =>
      source.answer?.({
        ...{ status: "accepted", code: undefined, signatureFault: undefined, httpStatus: 202 },
        ...{ requestId: "r", bodyKind: "json", events: [{ type: "rooms.created", id: "e1", data: {} }] },
        ...more,
      });
    expect(answer({})).toEqual({ status: 200, body: { status: "accepted", id: "e1" } });
    expect(answer({ status: "handled", httpStatus: 200 })).toBeUndefined();
    expect(answer({ status: "refused", code: "ERR_EVENT_INVALID", httpStatus: 422 })).toBeUndefined();
  });

  it("composes what reads back as it was asked for", () => {
    const compose = (data: unknown) =>
      only(JSON.parse(source.compose?.({ type: "messages.created", id: "w-1", data, nowMs: 0 }).body ?? ""));
    expect(compose(message)).toEqual(only(message));
    expect(compose(message.data)).toMatchObject({
      type: "messages.created",
      data: { id: "w-1", status: "active", data: message.data },
    });
  });
});
