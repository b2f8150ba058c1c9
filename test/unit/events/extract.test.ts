import { describe, expect, it } from "@jest/globals";
import { Refusal } from "../../../src/errors.js";
import type { IncomingEvent } from "../../../src/events/extract.js";
import { createEnvelope, type EnvelopeOptions } from "../../../src/events/extract.js";

function open(
  options: EnvelopeOptions,
  body: unknown,
  headers = {},
  rawBody = JSON.stringify(body),
): unknown {
  const opened = createEnvelope(options, "orders", "createReceiver").open(
    { body, kind: "json", headers },
    Buffer.from(rawBody),
  );
  if (opened instanceof Refusal) return opened.code;
  const { type, id, data } = opened[0] as IncomingEvent;
  return { type, id, data };
}

describe("createEnvelope", () => {
  it("finds type and id as members of the body, which is the data", () => {
    const body = { type: "a", id: "1", x: 2 };
    expect(open({}, body)).toEqual({ type: "a", id: "1", data: body });
  });

  it("finds them where it is told: member path, header in any case, function", () => {
    const body = { meta: { kind: "a" }, payload: { x: 1 } };
    const options: EnvelopeOptions = { type: "meta.kind", id: { header: "X-Event-Id" }, data: "payload" };
    expect(open(options, body, { "x-event-id": "e1" })).toEqual({ type: "a", id: "e1", data: { x: 1 } });
    expect(
      open({ type: ({ headers }) => headers["x-kind"], id: () => 7, data: () => "d" }, body, {
        "x-kind": "k",
      }),
    ).toEqual({
      type: "k",
      id: "7",
      data: "d",
    });
  });

  it.each([{}, { type: "" }, { type: 1 }, { type: null }, { type: ["a"] }, [], "x", 1, null])(
    "refuses %j, which has no type",
    (body) => expect(open({}, body)).toBe("ERR_EVENT_INVALID"),
  );

  it("G01 never reaches into a prototype", () => {
    expect(open({ type: "constructor.name" }, {})).toBe("ERR_EVENT_INVALID");
    expect(open({ type: { header: "constructor" } }, {})).toBe("ERR_EVENT_INVALID");
    expect(open({ type: "length" }, "text")).toBe("ERR_EVENT_INVALID");
  });

  it("H06 derives an id from the name and the bytes where there is none", () => {
    const first = open({}, { type: "a" }) as { id: string };
    expect(first.id).toMatch(/^sha256-[0-9a-f]{32}$/);
    expect(open({}, { type: "a" })).toEqual(first);
    expect(open({}, { type: "a", id: null }, {}, "other")).not.toMatchObject({ id: first.id });
  });

  it("E19 derives the id where a number is too large to be exact", () => {
    expect(open({}, { type: "a", id: 42 })).toMatchObject({ id: "42" });
    expect(open({}, { type: "a", id: 2 ** 53 })).toMatchObject({
      id: expect.stringMatching(/^sha256-/),
    });
  });

  it.each(["", "x".repeat(256), {}, [], true])("refuses the id %j", (id) => {
    expect(open({}, { type: "a", id })).toBe("ERR_EVENT_INVALID");
  });

  it("gives the data of a further parse", () => {
    const envelope = createEnvelope({ data: "d" }, "orders", "createReceiver");
    expect(envelope.data({ body: { d: 1 }, kind: "json", headers: {} }, 0)).toBe(1);
  });

  it.each([
    [{ type: "" }, "createReceiver.type must be a string that is not empty"],
    [{ type: { headers: "x" } }, `createReceiver.type has no option "headers"; did you mean "header"?`],
    [{ id: { header: 1 } }, "createReceiver.id.header must be a string"],
    [{ data: { header: "x" } }, "data cannot come from a header"],
  ])("refuses the options %j", (options, message) => {
    expect(() => createEnvelope(options as unknown as EnvelopeOptions, "orders", "createReceiver")).toThrow(
      message,
    );
  });
});
