import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "@jest/globals";
import { isBodyless, parseBodyOptions, readBody } from "../../../src/body/read.js";
import type { Refusal } from "../../../src/errors.js";
import { createFakeClock } from "../../../src/testing/fake-clock.js";

const parse = (options: unknown) => parseBodyOptions(options, "createReceiver.body");

describe("parseBodyOptions", () => {
  const defaults = { maxBytes: 262_144, timeoutMs: 10_000, types: ["json"], rawBodyFrom: undefined };

  it("has defaults for whatever is left out", () => {
    expect(parse(undefined)).toEqual(defaults);
    expect(parse({})).toEqual(defaults);
    expect(parse({ maxBytes: undefined, types: undefined, rawBodyFrom: undefined })).toEqual(defaults);
    expect(parse(Object.create(null))).toEqual(defaults);
  });

  it("takes every option at its bounds", () => {
    expect(parse({ maxBytes: 1, timeout: "1ms", types: ["form", "json"], rawBodyFrom: "rawBody" })).toEqual({
      maxBytes: 1,
      timeoutMs: 1,
      types: ["form", "json"],
      rawBodyFrom: "rawBody",
    });
    expect(parse({ maxBytes: 64 * 1024 * 1024, timeout: "5m", rawBodyFrom: "body" }).maxBytes).toBe(
      67_108_864,
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 0, -1, 1.5, 67_108_865, "100kb", "10mbx", null, 10n])(
    "E04 refuses maxBytes of %p rather than failing open",
    (maxBytes) => {
      expect(() => parse({ maxBytes })).toThrow(
        /^createReceiver\.body\.maxBytes must be a whole number from 1 to 67108864, not /,
      );
    },
  );

  it.each([Number.NaN, 0, -1, Number.POSITIVE_INFINITY, 10_000, "0ms", "301s", "10", null])(
    "E04 refuses a timeout of %p",
    (timeout) => {
      expect(() => parse({ timeout })).toThrow(
        /^createReceiver\.body\.timeout must be a duration such as "10s", from "1ms" to "5m"/,
      );
    },
  );

  it.each([[[]], ["json"], [null], [{}]])("E04 refuses types of %j", (types) => {
    expect(() => parse({ types })).toThrow(
      /^createReceiver\.body\.types must be a list of "json", "form" and "xml", not /,
    );
  });

  it.each([[["bytes"]], [["json", undefined]], [["JSON"]]])(
    "E04 refuses types of %j, naming the place",
    (types) => {
      expect(() => parse({ types })).toThrow(
        /^createReceiver\.body\.types\[\d\] must be one of "json", "form", "xml", not /,
      );
    },
  );

  it.each([true, null, "raw", ""])("E04 refuses rawBodyFrom of %p", (rawBodyFrom) => {
    expect(() => parse({ rawBodyFrom })).toThrow(
      /^createReceiver\.body\.rawBodyFrom must be one of "rawBody", "body", not /,
    );
  });

  it("refuses what is no object, and misspelled options with the near miss", () => {
    expect(() => parse(null)).toThrow("createReceiver.body must be an object, not null");
    expect(() => parse({ maxbytes: 1 })).toThrow('did you mean "maxBytes"?');
    expect(() => parse({ limit: "1mb" })).toThrow("known options: maxBytes, timeout, types, rawBodyFrom");
  });
});

/** A request whose bytes are written by the test. */
function requestOf(headers: Readonly<Record<string, string>>) {
  const stream = new PassThrough();
  return { stream, req: Object.assign(stream, { headers }) as unknown as IncomingMessage };
}

function read(req: IncomingMessage): Promise<Buffer | Refusal> {
  const clock = createFakeClock();
  const options = { maxBytes: 100, timeoutMs: 10_000, clock };
  return new Promise((bodyRead) => readBody(req, options, { bodyRead }));
}

describe("readBody", () => {
  it.each([
    ["{}", "more than announced"],
    ["{", "less than announced"],
  ])("E07 refuses %j, which is %s", async (text, what) => {
    const { stream, req } = requestOf({ "content-length": what.startsWith("more") ? "1" : "3" });
    const body = read(req);
    stream.end(text);
    expect(await body).toMatchObject({ code: "ERR_BODY_ABORTED" });
  });

  it("puts the pieces of an announced body together", async () => {
    const { stream, req } = requestOf({ "content-length": "3" });
    const body = read(req);
    for (const piece of ["a", "b", "c"]) stream.write(piece);
    stream.end();
    expect(await body).toEqual(Buffer.from("abc"));
  });

  it("reads a chunked body, and refuses it beyond its bound", async () => {
    const chunked = { "transfer-encoding": "chunked" };
    const [small, large] = [requestOf(chunked), requestOf(chunked)];
    const bodies = [read(small.req), read(large.req)];
    small.stream.end("abc");
    large.stream.end("a".repeat(101));
    expect(await Promise.all(bodies)).toMatchObject([Buffer.from("abc"), { code: "ERR_BODY_TOO_LARGE" }]);
  });

  it("E07 refuses a chunked body that breaks off before it is looked at", async () => {
    const { stream, req } = requestOf({ "transfer-encoding": "chunked" });
    const body = read(req);
    stream.emit("close");
    expect(await body).toMatchObject({ code: "ERR_BODY_ABORTED" });
    expect(stream.listenerCount("data")).toBe(0);
  });
});

describe("isBodyless", () => {
  it.each([
    [{}, true],
    [{ "content-length": "0" }, true],
    [{ "content-length": "1" }, false],
    [{ "transfer-encoding": "chunked" }, false],
    [{ "content-length": "0", "transfer-encoding": "chunked" }, false],
  ])("of %j is %p", (headers, expected) => {
    expect(isBodyless(headers)).toBe(expected);
  });
});
