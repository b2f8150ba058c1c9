import { describe, expect, it } from "@jest/globals";
import { cloudEvents } from "../../../src/sources/cloudevents/index.js";
import { github } from "../../../src/sources/github.js";
import { memberOf } from "../../../src/sources/settings.js";
import type { SourceOutcome } from "../../../src/types/source.js";
import {
  batchHeaders,
  binaryHeaders,
  deliver,
  eventsOf,
  faultOf,
  smallest,
  structuredHeaders,
} from "./cloudevents-request.js";

const source = cloudEvents();
const json = { ...binaryHeaders, "content-type": "application/json" };
const structured = (members: object): string => JSON.stringify({ ...smallest, ...members });

describe("cloudEvents in binary mode", () => {
  it("takes attributes from ce- headers of any case, the data from the body and datacontenttype from Content-Type", () => {
    const headers = {
      "Ce-Specversion": "1.0",
      "CE-ID": "1",
      "ce-Source": "/context",
      "ce-type": "com.example.someevent",
      "Content-Type": "application/json; charset=utf-8",
      "ce-comexampleextension1": "value",
      "ce-comexampleothervalue": "5",
      "x-other": "not an attribute",
    };
    expect(eventsOf(source, headers, '{"a":1}')).toEqual([
      {
        type: "com.example.someevent",
        id: "/context 1",
        data: {
          ...smallest,
          datacontenttype: "application/json; charset=utf-8",
          comexampleextension1: "value",
          comexampleothervalue: "5",
          data: { a: 1 },
        },
      },
    ]);
  });

  it.each([
    ["1.5", 1.5],
    ['"text"', "text"],
    ["null", null],
    ["false", false],
  ])("takes %s as JSON data", (body, data) =>
    expect(eventsOf(source, json, body)).toMatchObject([{ data: { data } }]),
  );

  it("takes an event without data, with and without a content type", () => {
    expect(eventsOf(source, binaryHeaders, "")).toEqual([
      { type: smallest.type, id: "/context 1", data: smallest },
    ]);
    expect(eventsOf(source, json, "")).toEqual([
      { type: smallest.type, id: "/context 1", data: { ...smallest, datacontenttype: "application/json" } },
    ]);
  });

  it("hands data of the option's types over as text where it is text, as a Buffer else, and parses +json", () => {
    const types = ["text/plain", "Application/XML", "image/png", "model/gltf+json", "image/svg+xml"];
    const wide = cloudEvents({ dataTypes: types });
    const dataOf = (type: string, body: string | Buffer): unknown =>
      memberOf(eventsOf(wide, { ...binaryHeaders, "content-type": type }, body)[0], "data.data");
    expect(dataOf("text/plain; charset=utf-8", "grün")).toBe("grün");
    expect(dataOf("APPLICATION/xml", "<a/>")).toBe("<a/>");
    expect(dataOf("image/svg+xml", "<svg/>")).toBe("<svg/>");
    expect(dataOf("image/png", Buffer.from([0x89, 0xff]))).toEqual(Buffer.from([0x89, 0xff]));
    expect(dataOf("model/gltf+json", '{"a":1}')).toEqual({ a: 1 });
    expect(() => deliver(source, { ...binaryHeaders, "content-type": "text/plain" }, "x")).toThrow();
    expect(faultOf(wide, { ...binaryHeaders, "content-type": "text/plain" }, Buffer.from([0xff]))).toContain(
      "UTF-8",
    );
  });

  it.each([
    ["no ce- header at all", { "content-type": "application/json" }, "no CloudEvent"],
    ["ce-datacontenttype", { ...json, "ce-datacontenttype": "text/plain" }, "ce-datacontenttype"],
    ["ce-data", { ...json, "ce-data": "x" }, "`data`"],
    ["a name with a hyphen", { ...json, "ce-my-ext": "x" }, "letters"],
    ["an empty name", { ...json, "ce-": "x" }, "letters"],
    ["bytes beyond ASCII", { ...json, "ce-subject": "caf\u00e9" }, "ASCII"],
    ["a header twice, where one has no space", { ...json, "ce-specversion": "1.0, 1.0" }, "specversion"],
    ["an empty subject", { ...json, "ce-subject": "" }, "subject"],
  ])("refuses %s", (_name, headers, words) => expect(faultOf(source, headers, "{}")).toContain(words));

  it("takes a source and dataschema that the sender did not percent-encode, as several SDKs send them", () => {
    const plain = { ...json, "ce-source": "/a%20b", "ce-dataschema": "https://example.com/%20" };
    const encoded = { ...json, "ce-source": "/a%2520b", "ce-dataschema": "https://example.com/%2520" };
    const expected = [{ id: "/a%20b 1", data: { source: "/a%20b", dataschema: "https://example.com/%20" } }];
    expect(eventsOf(source, plain, "{}")).toMatchObject(expected);
    expect(eventsOf(source, encoded, "{}")).toMatchObject(expected);
    expect(faultOf(source, { ...json, "ce-source": "/a%C0%A0b" }, "{}")).toContain("UTF-8");
  });
});

describe("cloudEvents in structured mode", () => {
  it("takes all from the body, and nothing from ce- headers that came beside it", () => {
    const headers = { ...structuredHeaders, "ce-id": "other", "ce-subject": "other" };
    const body = structured({ data: { a: 1 }, flag: true, count: 5, text: "" });
    expect(eventsOf(source, headers, body)).toEqual([
      {
        type: smallest.type,
        id: "/context 1",
        data: { ...smallest, data: { a: 1 }, flag: true, count: 5, text: "" },
      },
    ]);
  });

  it("takes null for an attribute that is left out, but not for data", () => {
    expect(
      eventsOf(source, structuredHeaders, structured({ subject: null, ext: null, data: null }))[0]?.data,
    ).toEqual({
      ...smallest,
      data: null,
    });
    expect(faultOf(source, structuredHeaders, structured({ id: null }))).toContain("`id`");
  });

  it.each([
    ["the bytes of data_base64", { data_base64: "AP8=" }, Buffer.from([0, 0xff])],
    [
      "a Buffer where datacontenttype is JSON",
      { data_base64: "e30=", datacontenttype: "application/json" },
      Buffer.from("{}"),
    ],
    ["no bytes at all", { data_base64: "" }, Buffer.alloc(0)],
    ["XML as text", { data: "<a/>", datacontenttype: "application/xml" }, "<a/>"],
    [
      "a JSON string as it is, not parsed again",
      { data: '{"a":1}', datacontenttype: "application/json" },
      '{"a":1}',
    ],
    ["JSON of a +json type", { data: [1], datacontenttype: "Model/GLTF+Json; a=b" }, [1]],
    ["zero", { data: 0 }, 0],
  ])("hands over %s", (_name, members, data) =>
    expect(eventsOf(source, structuredHeaders, structured(members))).toMatchObject([{ data: { data } }]),
  );

  it.each([
    ["an array", "[]", "object"],
    ["null", "null", "object"],
    ["text", '"x"', "object"],
    ["data beside data_base64", structured({ data: 1, data_base64: "AA==" }), "data_base64"],
    ["data_base64 without padding", structured({ data_base64: "AA" }), "base64"],
    ["data_base64 in the alphabet of URLs", structured({ data_base64: "_-8=" }), "base64"],
    ["data_base64 with a line break", structured({ data_base64: "AA==\n" }), "base64"],
    ["data_base64 that is a number", structured({ data_base64: 1 }), "base64"],
    ["an object as text/plain", structured({ data: {}, datacontenttype: "text/plain" }), "datacontenttype"],
    ["an extension that is an object", structured({ ext: {} }), "extension"],
    ["an extension that is no integer", structured({ ext: 1.5 }), "extension"],
    ["an extension of 33 bits", structured({ ext: 2_147_483_648 }), "extension"],
    ["a name in upper case", structured({ Ext: "a" }), "letters"],
    ["a name that reaches a prototype", `${structured({}).slice(0, -1)},"__proto__":"a"}`, "letters"],
  ])("refuses %s", (_name, body, words) => expect(faultOf(source, structuredHeaders, body)).toContain(words));

  it("refuses a body that is empty", () => {
    expect(faultOf(source, structuredHeaders, "")).toContain("object");
    expect(faultOf(source, batchHeaders, "")).toContain("array");
  });

  it.each([
    "application/cloudevents+avro+json",
    "application/cloudevents-x+json",
    "application/cloudeventsx+json",
  ])("refuses the format %s", (type) =>
    expect(faultOf(source, { ...binaryHeaders, "content-type": type }, "{}")).toContain("format"),
  );

  it("keeps an extension named constructor as its own member (ATTACKS E17)", () => {
    const [event] = eventsOf(source, structuredHeaders, structured({ constructor: "a" }));
    expect(Object.hasOwn(event?.data as object, "constructor")).toBe(true);
  });
});

describe("cloudEvents in batch mode", () => {
  it("takes each event in its order", () => {
    const body = JSON.stringify([smallest, { ...smallest, id: "2", data: 1 }]);
    expect(eventsOf(source, batchHeaders, body).map(({ id }) => id)).toEqual(["/context 1", "/context 2"]);
  });

  it("takes an empty batch", () => expect(eventsOf(source, batchHeaders, "[]")).toEqual([]));

  it("refuses the whole batch for one event that is none", () => {
    expect(faultOf(source, batchHeaders, JSON.stringify([smallest, {}]))).toContain("specversion");
    expect(faultOf(source, batchHeaders, JSON.stringify([[smallest]]))).toContain("object");
    expect(faultOf(source, batchHeaders, JSON.stringify(smallest))).toContain("array");
  });
});

describe("the identity of a CloudEvent", () => {
  const idOf = (members: object): unknown => eventsOf(source, structuredHeaders, structured(members))[0]?.id;

  it("is made of source and id, so that neither alone is enough", () => {
    expect(new Set([{}, { id: "2" }, { source: "/b" }].map(idOf)).size).toBe(3);
    expect(idOf({ type: "other" })).toBe(idOf({}));
    expect(source.deduplicateBy).toBe("id");
  });

  it("keeps pairs apart that read the same when joined", () => {
    expect(idOf({ source: "/a", id: "b c" })).not.toBe(idOf({ source: "/ab", id: " c" }));
    expect(faultOf(source, structuredHeaders, structured({ source: "/a b", id: "c" }))).toContain("source");
  });

  it("stays within 255 characters by a digest", () => {
    const long = "x".repeat(246);
    expect(idOf({ id: long })).toBe(`/context ${long}`);
    expect(idOf({ id: `${long}y` })).toMatch(/^sha256-[0-9a-f]{64}$/);
    expect(idOf({ id: `${long}y` })).not.toBe(idOf({ id: `${long}z` }));
  });
});

describe("options of cloudEvents", () => {
  it("hands over the data alone where that is asked for", () => {
    const alone = cloudEvents({ data: "data" });
    expect(eventsOf(alone, structuredHeaders, structured({ data: { a: 1 } }))[0]?.data).toEqual({ a: 1 });
    expect(eventsOf(alone, binaryHeaders, "")[0]?.data).toBeUndefined();
  });

  it("takes the modes that are named alone", () => {
    const bodies = { binary: "{}", structured: structured({}), batch: "[]" };
    const headers = { binary: json, structured: structuredHeaders, batch: batchHeaders };
    for (const mode of ["binary", "structured", "batch"] as const) {
      const one = cloudEvents({ modes: [mode] });
      for (const other of ["binary", "structured", "batch"] as const) {
        const delivery = { ...deliver(source, headers[other], bodies[other]) };
        expect("fault" in one.events(delivery)).toBe(mode !== other);
      }
    }
    expect(cloudEvents({ modes: ["batch"] })).toMatchObject({
      bodies: [],
      mediaTypes: { "application/cloudevents-batch+json": "json" },
    });
  });

  it("takes no binary mode beside a signature unless it is named: the signature does not cover its headers", () => {
    const { signature } = github({ secret: "signing-secret-of-the-tests-0123456789" });
    const signed = cloudEvents({ signature });
    expect(signed.signature).toBe(signature);
    expect(signed.events(deliver(source, json, "{}"))).toHaveProperty("fault");
    expect(eventsOf(signed, structuredHeaders, structured({}))).toHaveLength(1);
    expect(eventsOf(cloudEvents({ signature, modes: ["binary"] }), json, "{}")).toHaveLength(1);
  });

  it("states its deadline", () => {
    expect(source.deadline).toBe("30s");
    expect(cloudEvents({ deadline: "5s" }).deadline).toBe("5s");
  });

  it.each([
    [{ datatypes: [] }, "dataTypes"],
    [{ data: "all" }, "cloudEvents.data"],
    [{ data: null }, "cloudEvents.data"],
    [{ modes: [] }, "cloudEvents.modes"],
    [{ modes: ["batched"] }, "cloudEvents.modes[0]"],
    [{ modes: [undefined] }, "cloudEvents.modes[0]"],
    [{ dataTypes: "text/plain" }, "cloudEvents.dataTypes"],
    [{ dataTypes: ["text/plain; charset=utf-8"] }, "cloudEvents.dataTypes[0]"],
    [{ dataTypes: ["text/*"] }, "cloudEvents.dataTypes[0]"],
    [{ dataTypes: ["application/cloudevents+avro"] }, "format"],
    [{ ratePerMinute: 0 }, "ratePerMinute"],
    [{ ratePerMinute: 1.5 }, "ratePerMinute"],
    [{ ratePerMinute: Number.POSITIVE_INFINITY }, "ratePerMinute"],
    [{ dangerouslyAllowAnyOrigin: "yes" }, "dangerouslyAllowAnyOrigin"],
    [{ signature: "secret" }, "cloudEvents.signature"],
    [{ signature: {} }, "cloudEvents.signature"],
    [{ deadline: "0ms" }, "deadline"],
  ])("refuses %j", (options, words) => {
    const build = (): unknown => cloudEvents(options as object);
    expect(build).toThrow(TypeError);
    expect(build).toThrow(words);
  });

  it("reads no option of a polluted prototype (ATTACKS I09)", () => {
    const inherited = Object.create({ dangerouslyAllowAnyOrigin: true, ratePerMinute: 1 }) as object;
    const handshake = {
      method: "OPTIONS",
      url: "/",
      headers: { "webhook-request-origin": "a.b" },
      body: undefined,
    };
    expect(cloudEvents(inherited).handshake?.(handshake)).toBeUndefined();
  });
});

describe("answers of cloudEvents", () => {
  const outcome = {
    code: undefined,
    signatureFault: undefined,
    requestId: "r",
    bodyKind: undefined,
    events: [],
  };
  const answer = (status: SourceOutcome["status"], httpStatus: number): unknown =>
    source.answer?.({ ...outcome, status, httpStatus });

  it.each([
    ["handled", 200, 204],
    ["accepted", 202, 202],
    ["duplicate", 200, 202],
    ["ignored", 202, 202],
    ["ignored", 200, 204],
  ] as const)("says %s (%i) with %i and no body, as brokers want it", (status, httpStatus, expected) => {
    expect(answer(status, httpStatus)).toEqual({ status: expected });
  });

  it("leaves refusals and failures as they are", () => {
    expect(answer("refused", 415)).toBeUndefined();
    expect(answer("failed", 500)).toBeUndefined();
  });
});

describe("what cloudEvents composes", () => {
  const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  const compose = (data: unknown) => {
    const composed = source.compose?.({ type: "com.example.t", id: "7", data, nowMs });
    if (composed === undefined) throw new Error("nothing composed");
    const { headers, contentType, body } = composed;
    return eventsOf(source, { ...headers, "content-type": contentType }, body);
  };

  it("is read again as what it was made of", () => {
    expect(compose({ a: [1, null] })).toEqual([
      {
        type: "com.example.t",
        id: "/hookgate 7",
        data: {
          specversion: "1.0",
          id: "7",
          source: "/hookgate",
          type: "com.example.t",
          time: "2026-01-02T03:04:05.678Z",
          datacontenttype: "application/json",
          data: { a: [1, null] },
        },
      },
    ]);
    expect(compose(Buffer.from([1]))).toMatchObject([
      { data: { datacontenttype: "application/octet-stream", data: Buffer.from([1]) } },
    ]);
    expect(compose(undefined)[0]?.data).not.toHaveProperty("data");
  });

  it("has the attributes of an event that is whole, with the type and id that were asked for", () => {
    const whole = { ...smallest, id: "other", subject: "s", ext: 1, data: 2 };
    expect(compose(whole)).toMatchObject([
      { type: "com.example.t", id: "/context 7", data: { subject: "s", ext: 1, data: 2 } },
    ]);
  });
});
