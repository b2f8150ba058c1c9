import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { HTTP, CloudEvent as PeerEvent } from "cloudevents";
import { createReceiver, type WebhookEvent } from "hookgate";
import { type CloudEvent, cloudEvents } from "hookgate/cloudevents";
import { quiet } from "../support/quiet.js";
import { openWire, type Wire } from "../support/wire.js";

const dataTypes = [
  "application/xml",
  "application/vnd.apache.thrift.binary",
  "application/octet-stream",
  "text/plain",
];
const source = cloudEvents({ dataTypes });

describe("CloudEvents over HTTP", () => {
  const received: WebhookEvent<string, CloudEvent>[] = [];
  const receiver = createReceiver({
    name: "conformance",
    source,
    auth: { dangerouslyAcceptAnyone: true },
    logger: quiet,
  });
  receiver.onAny((event) => {
    received.push(event as WebhookEvent<string, CloudEvent>);
  });
  const server = createServer(receiver.middleware() as unknown as RequestListener);
  let wire: Wire;
  let answered = 0;

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    wire = await openWire((server.address() as AddressInfo).port);
  });
  afterAll(async () => {
    wire.socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  /** The events that handlers got of one request, sent as these very bytes. */
  async function send(head: readonly string[], body: string | Uint8Array): Promise<readonly CloudEvent[]> {
    received.length = 0;
    const bytes = Buffer.from(body as Uint8Array);
    const lines = [
      "POST /someresource HTTP/1.1",
      "Host: example.com",
      ...head,
      `Content-Length: ${bytes.length}`,
    ];
    await wire.send(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), bytes]));
    const answers = await wire.answers(++answered);
    expect(answers.at(-1)).toMatchObject({ status: 204, body: "" });
    return received.map(({ data }) => data);
  }

  const binary = (attributes: Readonly<Record<string, string>>, contentType?: string): string[] => [
    ...Object.entries(attributes).map(([name, value]) => `ce-${name}: ${value}`),
    ...(contentType === undefined ? [] : [`Content-Type: ${contentType}`]),
  ];

  describe("the features of the conformance suite, http-protocol-binding.feature", () => {
    const attributes = {
      specversion: "1.0",
      type: "com.example.someevent",
      time: "2018-04-05T03:56:24Z",
      id: "1234-1234-1234",
      source: "/mycontext/subcontext",
    };
    const data = { message: "Hello World!" };

    it.each(["application/json", "application/json; charset=utf-8"])(
      "binary content mode (%s)",
      async (contentType) => {
        const body = '{\n    "message": "Hello World!"\n}';
        expect(body).toHaveLength(33);
        expect(await send(binary(attributes, contentType), body)).toEqual([
          { ...attributes, datacontenttype: contentType, data },
        ]);
      },
    );

    it.each(["application/cloudevents+json", "application/cloudevents+json; charset=utf-8"])(
      "structured content mode (%s)",
      async (contentType) => {
        const members = { ...attributes, datacontenttype: "application/json", data };
        const found = await send([`Content-Type: ${contentType}`], JSON.stringify(members, undefined, 4));
        expect(found).toEqual([members]);
      },
    );

    it.each(["application/cloudevents-batch+json", "application/cloudevents-batch+json; charset=UTF-8"])(
      "batched content mode (%s), which the suite leaves out",
      async (contentType) => {
        const second = { ...attributes, id: "2", data };
        expect(await send([`Content-Type: ${contentType}`], JSON.stringify([attributes, second]))).toEqual([
          attributes,
          second,
        ]);
        expect(await send([`Content-Type: ${contentType}`], "[]")).toEqual([]);
      },
    );
  });

  describe("the events of the specification's JSON format, section 3.2, in both modes", () => {
    const base = {
      specversion: "1.0",
      type: "com.example.someevent",
      source: "/mycontext",
      id: "A234-1234-1234",
      time: "2018-04-05T17:31:00Z",
      comexampleextension1: "value",
    };
    const bytes = Buffer.from([0x80, 0x01, 0x00, 0xff]);
    const object = { appinfoA: "abc", appinfoB: 123, appinfoC: true };

    it.each<[string, object, string | undefined, string | Buffer, unknown]>([
      [
        "bytes",
        { data_base64: bytes.toString("base64") },
        "application/vnd.apache.thrift.binary",
        bytes,
        bytes,
      ],
      [
        "an XML document",
        { data: '<much wow="xml"/>' },
        "application/xml",
        '<much wow="xml"/>',
        '<much wow="xml"/>',
      ],
      ["a JSON object", { data: object }, "application/json", JSON.stringify(object), object],
      ["a JSON number", { data: 1.5 }, "application/json", "1.5", 1.5],
      [
        "a JSON string",
        { data: "I'm just a string" },
        "application/json",
        '"I\'m just a string"',
        "I'm just a string",
      ],
      ["nothing", {}, undefined, "", undefined],
    ])("%s", async (_name, members, datacontenttype, body, data) => {
      const type = datacontenttype === undefined ? {} : { datacontenttype };
      const expected = { ...base, ...type, ...(data === undefined ? {} : { data }) };
      const structured = { ...base, ...type, ...members, unsetextension: null };
      expect(await send(["Content-Type: application/cloudevents+json"], JSON.stringify(structured))).toEqual([
        expected,
      ]);
      expect(await send(binary(base, datacontenttype), body)).toEqual([expected]);
    });

    it("an integer, which is a number in JSON and text in a header", async () => {
      const structured = JSON.stringify({ ...base, comexampleothervalue: 5 });
      expect(await send(["Content-Type: application/cloudevents+json"], structured)).toMatchObject([
        { comexampleothervalue: 5 },
      ]);
      expect(await send(binary({ ...base, comexampleothervalue: "5" }), "")).toMatchObject([
        { comexampleothervalue: "5" },
      ]);
    });

    it("Unicode, percent-encoded in a header (HTTP binding section 3.1.3.2)", async () => {
      const subject = "Euro € 😀";
      const structured = JSON.stringify({ ...base, subject });
      const expected = [{ ...base, subject }];
      expect(await send(["Content-Type: application/cloudevents+json"], structured)).toEqual(expected);
      expect(await send(binary({ ...base, subject: "Euro%20%E2%82%AC%20%F0%9F%98%80" }), "")).toEqual(
        expected,
      );
    });
  });

  describe("the sample events that the SDK for C# is tried with", () => {
    const minimal = { specversion: "1.0", type: "io.cloudevents.test", source: "https://cloudevents.io" };
    const core = { dataschema: "https://cloudevents.io/dataschema", subject: "tests" };
    const extensions = {
      extinteger: 10,
      extboolean: true,
      extstring: "text",
      extbinary: "TWE=",
      exttimestamp: "2023-03-31T15:12:00Z",
      exturi: "https://cloudevents.io",
      exturiref: "//authority/path",
    };

    it.each<[string, object]>([
      ["minimal", {}],
      ["allCore", { ...core, datacontenttype: "text/plain", time: "2018-04-05T17:31:00Z" }],
      ["minimalWithTime", { time: "2018-04-05T17:31:00Z" }],
      ["minimalWithRelativeSource", { source: "#fragment" }],
      ["simpleTextData", { datacontenttype: "text/plain", data: "Simple text" }],
      ["allExtensionTypes", extensions],
    ])("%s", async (id, members) => {
      const event = { ...minimal, id, ...members };
      expect(await send(["Content-Type: application/cloudevents+json"], JSON.stringify(event))).toEqual([
        event,
      ]);
    });
  });

  describe("the JavaScript SDK, cloudevents", () => {
    const common = {
      type: "com.example.t",
      source: "https://example.com/s",
      subject: "s",
      ext: "x",
      num: 5,
      flag: true,
    };
    const events: readonly PeerEvent<unknown>[] = [
      new PeerEvent({ ...common, data: { a: [1, { b: null }] } }),
      new PeerEvent({ ...common, data: ["ü€😀"], datacontenttype: "application/json; charset=utf-8" }),
      new PeerEvent({
        ...common,
        time: "2018-04-05T17:31:00.123Z",
        dataschema: "https://example.com/schema",
      }),
      new PeerEvent({
        ...common,
        data: Buffer.from([0, 1, 0xff]),
        datacontenttype: "application/octet-stream",
      }),
      new PeerEvent({ ...common, source: "/a%20b", data: "<a/>", datacontenttype: "application/xml" }),
    ];
    const lines = (headers: object): string[] =>
      Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const attributesOf = ({ id, source, type, time, subject, ext }: PeerEvent<unknown>) => ({
      id,
      source,
      type,
      time,
      subject,
      ext,
    });

    it.each([...events.entries()])(
      "sends event %i in both modes, and the same is received",
      async (_at, event) => {
        const binaryMessage = HTTP.binary(event);
        const structuredMessage = HTTP.structured(event);
        const [inBinary] = await send(lines(binaryMessage.headers), (binaryMessage.body ?? "") as string);
        const [inStructured] = await send(lines(structuredMessage.headers), structuredMessage.body as string);
        expect(inBinary).toMatchObject(attributesOf(event));
        expect(inStructured).toMatchObject(attributesOf(event));
        expect(inBinary?.data).toEqual(inStructured?.data);
        expect(inStructured).toMatchObject({ num: 5, flag: true });
      },
    );

    it("sends a batch, and each event is received", async () => {
      const found = await send(["Content-Type: application/cloudevents-batch+json"], JSON.stringify(events));
      expect(found.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    });

    it("reads what is composed for tests and the command line", () => {
      const composed = source.compose?.({
        type: "com.example.t",
        id: "7",
        data: { a: 1 },
        nowMs: 1_767_323_045_678,
      });
      const message = {
        headers: { ...composed?.headers, "content-type": composed?.contentType },
        body: composed?.body,
      };
      const event = HTTP.toEvent(message) as PeerEvent<unknown>;
      expect(event.validate()).toBe(true);
      expect(event).toMatchObject({ type: "com.example.t", id: "7", source: "/hookgate", data: { a: 1 } });
    });

    it("takes events that are none, which is why deliveries are not read with it", async () => {
      const headers = { "ce-specversion": "9.9", "ce-id": "1", "ce-type": "t", "ce-time": "yesterday" };
      const event = HTTP.toEvent({ headers, body: "" }) as PeerEvent;
      expect(event).toMatchObject({ specversion: "9.9", source: undefined });
      expect(event.time).not.toBe("yesterday");
      const text = { ...headers, "ce-specversion": "1.0", "ce-source": "/s", "ce-subject": "a%20b" };
      expect(HTTP.toEvent({ headers: text, body: "" })).toMatchObject({ subject: "a%20b" });
      const upper = { "content-type": "application/cloudevents+json; charset=UTF-8" };
      expect(() => HTTP.toEvent({ headers: upper, body: JSON.stringify(events[0]) })).toThrow("content type");
    });
  });
});
