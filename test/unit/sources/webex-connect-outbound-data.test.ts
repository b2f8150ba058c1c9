import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { webexConnectOutbound } from "hookgate/webex-connect-outbound";
import {
  type MemberTable,
  messageCommon,
  messageMembers,
  receiptCommon,
  receiptMembers,
} from "../../../src/sources/webex-connect-outbound/members.js";
import type { SourceEvent } from "../../../src/types/source.js";

const source = webexConnectOutbound();
const isObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a member of each kind may be. */
const fits: { readonly [Kind in keyof MemberTable]: (value: unknown) => boolean } = {
  text: (value) => typeof value === "string",
  objects: (value) => value === undefined || isObject(value),
  lists: (value) => Array.isArray(value) && value.every(isObject),
  texts: (value) => Array.isArray(value) && value.every((each) => typeof each === "string"),
};

/** The faults of data against its table, none for what its type says. */
function faultsOf(data: Record<string, unknown>, common: readonly string[], table: MemberTable): string[] {
  const kinds = Object.keys(fits) as (keyof MemberTable)[];
  const members = kinds.flatMap((kind) => table[kind].map((name) => [name, kind] as const));
  return [...common.map((name) => [name, "text"] as const), ...members].flatMap(([name, kind]) => {
    const text = `${name} is no ${kind}: ${JSON.stringify(data[name])}`;
    if (!fits[kind](data[name])) return [text];
    if (name !== "attachments") return [];
    const files = data[name] as readonly Record<string, unknown>[];
    const whole = files.every(
      ({ url, mimeType, name: file, details }) =>
        [url, mimeType, file].every((each) => typeof each === "string") && isObject(details),
    );
    return whole ? [] : [text];
  });
}

const json = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
  fc.constantFrom("", "[", "{", "[]", "{}", '[{"url":7}]', '[{"payload":{"url":"u"}}]', "Yes"),
);

function bodiesOf(names: readonly string[]): fc.Arbitrary<Record<string, unknown>> {
  const spelled = fc
    .constantFrom(...names, "attachment", "user_preferences", "userld", "malwareinfo", "__proto__", "more")
    .chain((name) => fc.constantFrom(name, name.toUpperCase(), name.toLowerCase()));
  return fc.dictionary(spelled, json, { maxKeys: 12 });
}

function namesOf(common: readonly string[], table: MemberTable): readonly string[] {
  return [...common, ...table.text, ...table.objects, ...table.lists, ...table.texts];
}

function only(body: unknown): SourceEvent {
  const [event] = source.events({ body, kind: "json", headers: {} }) as readonly SourceEvent[];
  return event as SourceEvent;
}

describe("G03 data as its type says, whatever was sent", () => {
  it.each(Object.entries(messageMembers))("of incoming messages of %s", (channel, table: MemberTable) => {
    fc.assert(
      fc.property(bodiesOf(namesOf(messageCommon, table)), (body) => {
        const { type, data, id } = only({ ...body, channel, event: "MO" });
        expect(type).toBe(`message.${channel}.received`);
        expect(faultsOf(data as Record<string, unknown>, messageCommon, table)).toEqual([]);
        expect(id === undefined || /^[\s\S]{1,150}:received:[0-9a-f]{16}$/.test(String(id))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it.each(Object.entries(receiptMembers))("of receipts of %s", (channel, table: MemberTable) => {
    const bodies = bodiesOf(namesOf(receiptCommon, table));
    fc.assert(
      fc.property(bodies, bodies, (info, outer) => {
        const without = Object.entries(info).filter(([name]) => !/^delivery(channel|status)$/i.test(name));
        const deliveryInfo = {
          ...Object.fromEntries(without),
          deliveryChannel: channel,
          deliveryStatus: "Read",
        };
        const { type, data } = only({ deliveryInfoNotification: { ...outer, deliveryInfo } });
        expect(type).toBe(`receipt.${channel}.read`);
        expect(faultsOf(data as Record<string, unknown>, receiptCommon, table)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
