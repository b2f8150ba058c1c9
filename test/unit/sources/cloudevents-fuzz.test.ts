import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { CloudEvent } from "../../../src/sources/cloudevents/index.js";
import { cloudEvents } from "../../../src/sources/cloudevents/index.js";
import { binaryHeaders, eventsOf, smallest, structuredHeaders } from "./cloudevents-request.js";

const source = cloudEvents();
const legal = /^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u;
const awkward = fc.constantFrom("%", '"', "\\", " ", "2", "0");
const unit = fc.oneof(awkward, fc.string({ unit: "binary", minLength: 1, maxLength: 1 }));
const text = fc.string({ unit, minLength: 1, maxLength: 30 }).filter((each) => legal.test(each));
const name = fc
  .stringMatching(/^[a-z0-9]{1,20}$/)
  .filter((each) => each !== "data" && !/^(time|data.+)$/.test(each));
const uriText = fc.stringMatching(/^\/[A-Za-z0-9._~/-]{0,30}$/);
const events = fc.record({
  id: text,
  type: text,
  source: uriText,
  subject: text,
  extensions: fc.dictionary(name, text, { maxKeys: 5 }),
  data: fc.jsonValue(),
});

/** HTTP binding section 3.1.3.2, its steps to encode. */
function encode(value: string): string {
  return [...value]
    .map((character) =>
      /^[\x21\x23\x24\x26-\x7e]$/.test(character)
        ? character
        : [...Buffer.from(character)]
            .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
            .join(""),
    )
    .join("");
}

describe("CloudEvents of any content", () => {
  it("say the same in structured and binary mode", () => {
    fc.assert(
      fc.property(events, ({ extensions, data, ...core }) => {
        const attributes = {
          ...extensions,
          ...core,
          specversion: "1.0",
          datacontenttype: "application/json",
        };
        const structured = eventsOf(source, structuredHeaders, JSON.stringify({ ...attributes, data }));
        const { datacontenttype, ...inHeaders } = attributes;
        const headers = Object.entries(inHeaders).map(([key, value]) => [`ce-${key}`, encode(value)]);
        const binary = eventsOf(
          source,
          { ...Object.fromEntries(headers), "content-type": datacontenttype },
          JSON.stringify(data),
        );
        expect(binary).toEqual(structured);
        expect(structured[0]?.data as CloudEvent).toEqual({
          ...attributes,
          data: JSON.parse(JSON.stringify(data)),
        });
      }),
    );
  });

  it("of different source or id have different ids", () => {
    const pair = fc.tuple(uriText, text);
    const idOf = ([from, id]: [string, string]): unknown =>
      eventsOf(source, structuredHeaders, JSON.stringify({ ...smallest, source: from, id }))[0]?.id;
    fc.assert(
      fc.property(pair, pair, (one, other) => {
        expect(idOf(one) === idOf(other)).toBe(one[0] === other[0] && one[1] === other[1]);
      }),
    );
  });

  it("are events or a fault, and never thrown at (ATTACKS I04)", () => {
    const headerValue = fc.oneof(
      fc.string(),
      fc.constant("1.0"),
      fc.array(fc.string(), { maxLength: 2 }),
      fc.constant(undefined),
    );
    const names = fc.oneof(
      fc.string().map((each) => `ce-${each}`),
      fc.constantFrom(...Object.keys(binaryHeaders)),
    );
    const types = fc.constantFrom(
      "application/json",
      "application/cloudevents+json",
      "application/cloudevents-batch+json",
      "",
      ";",
    );
    const members = fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("data", "data_base64", "time", ...Object.keys(smallest))),
      fc.jsonValue(),
    );
    const bodies = fc.oneof(
      fc.jsonValue(),
      members,
      fc.array(members),
      members.map((each) => ({ ...smallest, ...each })),
    );
    const kinds = fc.constantFrom("json", "bytes", "empty", "form", "xml");
    fc.assert(
      fc.property(fc.dictionary(names, headerValue), types, bodies, kinds, (headers, type, body, kind) => {
        const delivery = {
          headers: { ...headers, "content-type": type } as Record<string, string>,
          body,
          kind,
        } as const;
        const found = source.events(delivery);
        if ("fault" in found) expect(typeof found.fault).toBe("string");
        else
          for (const { type: each, id } of found)
            expect([each, id]).toEqual([expect.any(String), expect.any(String)]);
      }),
      { numRuns: 300 },
    );
  });
});
