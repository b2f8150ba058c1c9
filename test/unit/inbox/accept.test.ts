import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { Refusal } from "../../../src/errors.js";
import { IncomingEvent } from "../../../src/events/extract.js";
import { type RegisteredHandler, readHandler } from "../../../src/events/handlers.js";
import { type CheckedDelivery, newDelivery, reportStored, toOutcome } from "../../../src/inbox/accept.js";
import type { Acceptance, NewEvent } from "../../../src/types/engine.js";
import { listen } from "../../support/inbox-parts.js";

const settings = { headers: ["content-type", "x-topic"], deduplicateForMs: 5, maxBacklog: 7 };
const origin = { receiver: "orders", source: "", deduplicateBy: "id-and-body" } as const;
const rawBody = Buffer.from('{"id":"e1"}');

function handler(name: string, options: object = {}): RegisteredHandler {
  return readHandler("on", name, () => {}, { options, tasks: { ordered: true } });
}

function eventOf(
  id: string,
  { handlers = [handler("ship")], fault }: { handlers?: readonly RegisteredHandler[]; fault?: Refusal } = {},
): IncomingEvent {
  const event = new IncomingEvent("order.paid", id, "raw");
  event.handlers = handlers;
  event.checkedData = "checked";
  event.fault = fault;
  return event;
}

function checked({
  handlers,
  fault,
  ...changes
}: Partial<CheckedDelivery> & Parameters<typeof eventOf>[1] = {}): CheckedDelivery {
  return {
    requestId: "r1",
    method: "POST",
    url: "/hooks?token=canary-in-query&a%5B%5D=1&flag&=x&a=b=c",
    headers: {
      "content-type": "application/json",
      authorization: "Bearer x",
      "x-topic": ["a", "b"] as never,
    },
    address: "192.0.2.1",
    receivedAtMs: 99,
    rawBody,
    caller: { method: "service-key", tenant: "acme", service: "shop", credentialId: "k1" },
    tokenUse: undefined,
    parsed: { kind: "json" },
    events: [eventOf("e1", { handlers, fault } as Parameters<typeof eventOf>[1])],
    ...changes,
  };
}

describe("what is stored of a delivery", () => {
  it("has the caller's owner, the kept headers and the body's digest", () => {
    expect(newDelivery(origin, settings, checked())).toEqual({
      receiver: "orders",
      source: "",
      tenant: "acme",
      service: "shop",
      events: [
        {
          id: "e1",
          type: "order.paid",
          digest: createHash("sha256").update(rawBody).digest("base64url"),
          deduplicateBy: "id-and-body",
          tasks: [{ handler: "ship" }],
        },
      ],
      rememberMs: 5,
      maxBacklog: 7,
      tokenUse: undefined,
      requestId: "r1",
      method: "POST",
      url: "/hooks?token&a%5B%5D&flag&&a",
      headers: { "content-type": "application/json", "x-topic": ["a", "b"] },
      address: "192.0.2.1",
      receivedAtMs: 99,
      caller: { method: "service-key", tenant: "acme", service: "shop", credentialId: "k1" },
      bodyKind: "json",
      rawBody,
    });
  });

  it("has empty names where the caller has none", () => {
    const anyone = newDelivery(origin, settings, checked({ caller: { method: "none" } }));
    expect(anyone).toMatchObject({ tenant: "", service: "" });
    const profile = { method: "profile-key", tenant: "acme", credentialId: "p" } as const;
    expect(newDelivery(origin, settings, checked({ caller: profile }))).toMatchObject({
      tenant: "acme",
      service: "",
    });
  });

  it("has a task for each handler, with the key that orderingKey gives for the checked data", () => {
    const orderingKey = ({ data }: { readonly data: unknown }) => `key-${data}`;
    const handlers = [
      handler("a", { orderingKey }),
      handler("b"),
      handler("c", { orderingKey: () => undefined }),
    ];
    expect(newDelivery(origin, settings, checked({ handlers }))).toMatchObject({
      events: [{ tasks: [{ handler: "a", orderingKey: "key-checked" }, { handler: "b" }, { handler: "c" }] }],
    });
  });

  it("has dead letters where the data breaks its schema, under the key of the data as it came, or none", () => {
    const refusal = new Refusal("ERR_EVENT_INVALID", "broken", [{ message: "no", path: ["a"] }]);
    const handlers = [
      handler("a", { orderingKey: ({ data }: { readonly data: unknown }) => `key-${data}` }),
      handler("b", {
        orderingKey: () => {
          throw new Error("this data is not what I know");
        },
      }),
      handler("c", { orderingKey: () => 5 }),
    ];
    const dead = {
      name: "EventInvalidError",
      code: "ERR_EVENT_INVALID",
      message: "broken",
      issues: ["a: no"],
    };
    expect(newDelivery(origin, settings, checked({ handlers, fault: refusal }))).toMatchObject({
      events: [
        {
          tasks: [
            { handler: "a", orderingKey: "key-raw", dead },
            { handler: "b", dead },
            { handler: "c", dead },
          ],
        },
      ],
    });
  });

  it.each<[string, () => unknown, string]>([
    [
      "throws",
      () => {
        throw new Error("no");
      },
      'orderingKey of handler "a" threw',
    ],
    ["gives a number", () => 5, 'orderingKey of handler "a" must return a string or undefined, not 5'],
    [
      "gives a promise",
      async () => "key",
      'orderingKey of handler "a" must return a string or undefined, not an object',
    ],
    ["gives null", () => null, "not null"],
  ])("is refused where orderingKey %s", (_, orderingKey, reason) => {
    const refused = newDelivery(origin, settings, checked({ handlers: [handler("a", { orderingKey })] }));
    expect(refused).toMatchObject({ code: "ERR_INTERNAL", reason: expect.stringContaining(reason) });
  });
});

describe("what the sender is told", () => {
  const stored = newDelivery(origin, settings, checked());
  if (stored instanceof Refusal) throw stored.toError();
  const ignored = { ...stored, events: stored.events.map((event) => ({ ...event, tasks: [] })) };

  it.each<[string, Acceptance, object]>([
    [
      "stored",
      { status: "stored", recordIds: ["rec_1"], positions: [0] },
      { status: "accepted", ids: ["e1"] },
    ],
    ["duplicate", { status: "duplicate", bodyDiffers: false }, { status: "duplicate", ids: ["e1"] }],
    ["conflict", { status: "conflict", id: "e1" }, { code: "ERR_EVENT_CONFLICT" }],
    ["replayed", { status: "replayed" }, { code: "ERR_TOKEN_INVALID" }],
    ["full", { status: "full", backlog: 7 }, { code: "ERR_OVERLOADED" }],
    ["what nobody knows", { status: "what" } as never, { code: "ERR_INTERNAL" }],
  ])("%s", (_, acceptance, outcome) => {
    expect(toOutcome(stored, acceptance)).toMatchObject(outcome);
  });

  it("is ignored where there is no handler, and the refusal where the store has none", () => {
    expect(toOutcome(ignored, { status: "stored", recordIds: ["rec_1"], positions: [0] })).toEqual({
      status: "ignored",
      ids: ["e1"],
      stored: true,
    });
    const refusal = new Refusal("ERR_STORE_UNAVAILABLE", "full");
    expect(toOutcome(stored, refusal)).toBe(refusal);
  });

  it("H03 is told to the operator, too, where the body differs", () => {
    const { reporter, lines } = listen();
    reportStored(stored, { status: "duplicate", bodyDiffers: true }, reporter);
    reportStored(stored, { status: "duplicate", bodyDiffers: false }, reporter);
    expect(lines).toEqual([expect.stringMatching(/^warn the event "e1" came again with another body/)]);
  });

  it("tells of dead letters under the record of their own event, where others were there before", () => {
    const { reporter, reports } = listen();
    const dead = { name: "EventInvalidError", message: "broken" };
    const event = (id: string) => ({
      ...(stored.events[0] as NewEvent),
      id,
      tasks: [{ handler: "ship", dead }],
    });
    const batch = { ...stored, events: [event("e1"), event("e2"), event("e3")] };
    reportStored(batch, { status: "stored", recordIds: ["rec_8", "rec_9"], positions: [0, 2] }, reporter);
    expect(reports).toMatchObject([
      ["dead", { recordId: "rec_8", event: { id: "e1" } }, dead],
      ["dead", { recordId: "rec_9", event: { id: "e3" } }, dead],
    ]);
  });
});

describe("several events of one delivery", () => {
  const events = ["a", "b"].map((id) => new IncomingEvent("t", id, { id }));

  it("are told apart by what each of them says, and belong to their source", () => {
    const hub = { receiver: "orders", source: "hub", deduplicateBy: "id" } as const;
    const stored = newDelivery(hub, settings, { ...checked(), events });
    const digestOf = (data: object) =>
      createHash("sha256")
        .update(JSON.stringify(["t", data]))
        .digest("base64url");
    expect(stored).toMatchObject({
      source: "hub",
      events: [
        { id: "a", digest: digestOf({ id: "a" }), deduplicateBy: "id" },
        { id: "b", digest: digestOf({ id: "b" }), deduplicateBy: "id" },
      ],
    });
  });
});
