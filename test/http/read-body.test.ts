import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "@jest/globals";
import express5 from "express";
import express4 from "express4";
import { type ReadBodyOptions, readBody, refuseByLength } from "../../src/body/read.js";
import { Refusal } from "../../src/errors.js";
import { problemAnswer, sendAnswer } from "../../src/http/send-response.js";
import { systemClock } from "../../src/lib/clock.js";
import { createFakeClock } from "../../src/testing/fake-clock.js";

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}

const options: ReadBodyOptions = { maxBytes: 1000, timeoutMs: 5000, clock: systemClock };

/** Reads the body and answers with it, or with the refusal. Results are kept in order. */
function reader(overrides: Partial<ReadBodyOptions> = {}) {
  const results: (Buffer | Refusal)[] = [];
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const result = await take(req, { ...options, ...overrides });
    results.push(result);
    if (result instanceof Refusal) sendAnswer(res, problemAnswer(result.code), { requestId: "r" });
    else res.end(result);
  };
  return { results, handle: (req: IncomingMessage, res: ServerResponse): void => void handle(req, res) };
}

/** A raw connection that collects what comes back. */
function open(port: number): { socket: Socket; received: () => string; closed: Promise<unknown> } {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  return { socket, received: () => text, closed: once(socket, "close") };
}

/** Ends before jest's limit does, so that a test that fails does not leave a loop behind. */
async function until(condition: () => boolean): Promise<void> {
  const giveUp = performance.now() + 4000;
  while (!condition()) {
    if (performance.now() > giveUp) throw new Error("what the test waits for has not come");
    await turn();
  }
}

const head = (...lines: string[]): string =>
  `${["POST / HTTP/1.1", "Host: h", ...lines].join("\r\n")}\r\n\r\n`;

/** `readBody` as a promise. */
function take(req: IncomingMessage, options: ReadBodyOptions): Promise<Buffer | Refusal> {
  return new Promise((resolve) => readBody(req, options, { bodyRead: resolve }));
}

describe("readBody", () => {
  it("gives the bytes as they came, by length, chunked and empty, and leaves no listener behind", async () => {
    const { results, handle } = reader();
    const counts: number[] = [];
    const port = await listen((req, res) => {
      const names = ["data", "end", "close", "error", "aborted"] as const;
      const count = (): number => names.reduce((sum, name) => sum + req.listenerCount(name), 0);
      const before = count();
      res.on("close", () => counts.push(count() - before));
      handle(req, res);
    });
    const { socket, received } = open(port);
    socket.write(`${head("Content-Length: 5")}a\r\n\u00e9`, "utf8");
    await until(() => results.length === 1);
    socket.write(`${head("Transfer-Encoding: chunked")}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`);
    await until(() => results.length === 2);
    socket.write(head());
    await until(() => results.length === 3);
    expect(results).toEqual([Buffer.from("a\r\n\u00e9"), Buffer.from("abcde"), Buffer.alloc(0)]);
    await until(() => counts.length === 3 && received().length > 0);
    expect(counts).toEqual([0, 0, 0]);
  });

  it("E02 refuses by the header alone, without touching the body", async () => {
    let touched: boolean | undefined;
    let refusal: Refusal | undefined;
    const { results, handle } = reader();
    const port = await listen((req, res) => {
      refusal = refuseByLength(req, 1000);
      touched = req.readableDidRead || req.listenerCount("data") > 0;
      handle(req, res);
    });
    const { socket, received, closed } = open(port);
    socket.write(head("Content-Length: 1001"));
    await until(() => received().includes("ERR_BODY_TOO_LARGE"));
    expect(received()).toMatch(/^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n/);
    expect(touched).toBe(false);
    expect(refusal?.reason).toBe("the body announces 1001 bytes and body.maxBytes is 1000");
    expect(results).toEqual([refusal]);
    socket.end();
    await closed;
  });

  it("E02 takes a body of exactly the limit", async () => {
    const { results, handle } = reader();
    const { socket } = open(await listen(handle));
    socket.write(head("Content-Length: 1000") + "x".repeat(1000));
    await until(() => results.length === 1);
    expect(results[0]).toHaveLength(1000);
  });

  it("E03 refuses a chunked body once it passes the limit, and closes", async () => {
    const { results, handle } = reader();
    const { socket, received, closed } = open(await listen(handle));
    socket.write(`${head("Transfer-Encoding: chunked")}3e8\r\n${"x".repeat(1000)}\r\n`);
    socket.write("1\r\nx\r\n");
    await until(() => received().includes("ERR_BODY_TOO_LARGE"));
    expect(received()).toMatch(/^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n/);
    expect(results).toMatchObject([{ code: "ERR_BODY_TOO_LARGE" }]);
    socket.end();
    await closed;
  });

  it("E07 tells a sender that left before its body was complete", async () => {
    const { results, handle } = reader();
    const port = await listen((req, res) => {
      handle(req, res);
      req.once("data", () => socket.resetAndDestroy());
    });
    const { socket } = open(port);
    socket.write(`${head("Content-Length: 10")}abc`);
    await until(() => results.length === 1);
    expect(results).toMatchObject([{ code: "ERR_BODY_ABORTED" }]);
  });

  it("E07 tells a sender that left before we began to read", async () => {
    const { results, handle } = reader();
    const port = await listen((req, res) => {
      req.once("close", () => handle(req, res));
      socket.resetAndDestroy();
    });
    const { socket } = open(port);
    socket.write(head("Content-Length: 10"));
    await until(() => results.length === 1);
    expect(results).toMatchObject([{ code: "ERR_BODY_ABORTED" }]);
  });

  it("E07 does not hang on a stream that closes without a word", async () => {
    const req = Object.assign(new Readable({ read() {} }), { headers: {} });
    const reading = take(req as unknown as IncomingMessage, options);
    req.destroy();
    expect(await reading).toMatchObject({ code: "ERR_BODY_ABORTED" });
  });

  const framings = [
    ["announced", "Content-Length: 90000", (text: string) => text],
    ["chunked", "Transfer-Encoding: chunked", (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`],
  ] as const;

  it.each(framings)(
    "E09 gives up a slow body at its deadline, answers 408, closes, and stops collecting: %s",
    async (_name, framing, frame) => {
      const clock = createFakeClock();
      const { results, handle } = reader({ clock, timeoutMs: 10_000, maxBytes: 100_000 });
      let request: IncomingMessage | undefined;
      const port = await listen((req, res) => {
        request = req;
        handle(req, res);
      });
      const { socket, received, closed } = open(port);
      socket.write(head(framing) + frame("a".repeat(20_000)));
      await until(() => request?.readableDidRead === true && request.socket.bytesRead > 20_000);
      clock.advance("9999ms");
      await turn();
      expect(results).toHaveLength(0);
      clock.advance("1ms");
      await until(() => received().includes("ERR_BODY_TIMEOUT"));
      expect(results).toMatchObject([{ reason: expect.stringContaining("not complete within 10000 ms") }]);
      expect(clock.pending).toBe(0);
      expect(received()).toMatch(/^HTTP\/1\.1 408 [\s\S]*\r\nConnection: close\r\n/);
      expect(request?.listenerCount("aborted")).toBe(0);
      socket.end();
      await closed;
    },
  );

  it.each(framings)(
    "E09 gives up a body that comes at less than 1,024 bytes a second after 5 seconds: %s",
    async (_name, framing, frame) => {
      const clock = createFakeClock();
      const { results, handle } = reader({ clock, timeoutMs: 60_000, maxBytes: 100_000 });
      let request: IncomingMessage | undefined;
      const port = await listen((req, res) => {
        request = req;
        handle(req, res);
      });
      const { socket, received, closed } = open(port);
      const first = head(framing) + frame("a".repeat(5_120));
      socket.write(first);
      await until(() => request?.readableDidRead === true && request.socket.bytesRead === first.length);
      clock.advance("5s");
      await turn();
      expect(results).toHaveLength(0);
      const second = frame("a".repeat(1_023));
      socket.write(second);
      await until(() => request?.socket.bytesRead === first.length + second.length);
      await turn();
      clock.advance("1s");
      await until(() => received().includes("ERR_BODY_TIMEOUT"));
      expect(results).toMatchObject([
        { reason: "6143 bytes of the body came in 6000 ms, less than 1024 bytes a second" },
      ]);
      expect(clock.pending).toBe(0);
      expect(request?.listenerCount("data")).toBe(0);
      socket.end();
      await closed;
    },
  );

  it("E09 leaves no timer behind a body that came in time", async () => {
    const clock = createFakeClock();
    const { results, handle } = reader({ clock });
    const { socket } = open(await listen(handle));
    socket.write(`${head("Content-Length: 3")}abc`);
    await until(() => results.length === 1);
    expect(clock.pending).toBe(0);
  });
});

describe.each([
  ["Express 4", express4],
  ["Express 5", express5],
])("readBody behind the parsers of %s", (_name, express) => {
  const keep = (req: IncomingMessage, _res: ServerResponse, bytes: Buffer): void => {
    Object.assign(req, { rawBody: bytes });
  };

  async function post(
    parser: express5.RequestHandler,
    overrides: Partial<ReadBodyOptions>,
    body: string,
    type = "application/json",
  ): Promise<{ result: Buffer | Refusal; status: number }> {
    const { results, handle } = reader(overrides);
    const port = await listen((express as typeof express5)().use(parser).use(handle));
    const init = { method: "POST", body, headers: { "content-type": type, connection: "close" } };
    const answer = await fetch(`http://127.0.0.1:${port}/`, init);
    await answer.text();
    return { result: results[0] as Buffer | Refusal, status: answer.status };
  }

  it("E24 finds at once that express.json() took the body, and names the fix", async () => {
    const { result, status } = await post(express.json(), { clock: createFakeClock() }, '{"a":1}');
    expect(status).toBe(500);
    expect(result).toMatchObject({
      code: "ERR_BODY_CONSUMED",
      reason:
        "an earlier middleware read the body, so its bytes are gone. " +
        "Mount the receiver before express.json() and other body parsers, or let the parser keep the bytes: " +
        "express.json({ verify: (req, _res, buf) => { req.rawBody = buf } }) " +
        'together with the option body: { rawBodyFrom: "rawBody" }',
    });
  });

  it.each([["{}"], ["[]"]])("E24 finds it for a body of %s too", async (body) => {
    const { result } = await post(express.json(), { clock: createFakeClock() }, body);
    expect(result).toMatchObject({ code: "ERR_BODY_CONSUMED" });
  });

  it("reads a body that the parser passed over", async () => {
    expect((await post(express.json(), {}, "a=1", "application/x-www-form-urlencoded")).result).toEqual(
      Buffer.from("a=1"),
    );
    expect((await post(express.json(), {}, "")).result).toEqual(Buffer.alloc(0));
    expect((await post(express.json(), { rawBodyFrom: "rawBody" }, "")).result).toEqual(Buffer.alloc(0));
  });

  it("E24 takes the bytes that the parser kept, by the name given", async () => {
    const parser = express.json({ verify: keep });
    expect((await post(parser, { rawBodyFrom: "rawBody" }, ' {"a":1}')).result).toEqual(
      Buffer.from(' {"a":1}'),
    );
    const raw = express.raw({ type: "*/*" });
    expect((await post(raw, { rawBodyFrom: "body" }, "x")).result).toEqual(Buffer.from("x"));
  });

  it("E24 does not take kept bytes that were not declared", async () => {
    const { result } = await post(express.json({ verify: keep }), {}, '{"a":1}');
    expect(result).toMatchObject({ code: "ERR_BODY_CONSUMED" });
  });

  it("E24 never takes a parsed body for bytes", async () => {
    for (const rawBodyFrom of ["body", "rawBody"] as const) {
      const { result } = await post(express.json(), { rawBodyFrom }, '{"a":1}');
      expect(result).toMatchObject({
        code: "ERR_BODY_CONSUMED",
        reason: expect.stringMatching(
          /^the body was read before, and req\.\w+ is .*, not a Buffer\. Mount the/,
        ),
      });
    }
  });

  it("E02 holds kept bytes to the limit", async () => {
    const { result, status } = await post(
      express.json({ verify: keep }),
      { rawBodyFrom: "rawBody", maxBytes: 7 },
      '{"a":12}',
    );
    expect(result).toMatchObject({ code: "ERR_BODY_TOO_LARGE" });
    expect(status).toBe(413);
  });
});

describe("readBody behind other middleware", () => {
  const stream = (more: object): IncomingMessage =>
    Object.assign(Readable.from([Buffer.from("abc")]), {
      headers: {},
      ...more,
    }) as unknown as IncomingMessage;

  it("E24 finds a stream that was read, by data or to the end", async () => {
    const read = stream({});
    for await (const _chunk of read);
    expect(await take(read, options)).toMatchObject({ code: "ERR_BODY_CONSUMED" });
    const begun = stream({});
    begun.once("data", () => begun.pause());
    await until(() => begun.readableDidRead);
    expect(await take(begun, options)).toMatchObject({ code: "ERR_BODY_CONSUMED" });
  });

  it.each([["text"], [{ a: 1 }], [0]])(
    "E24 refuses where a platform has set req.body to %j",
    async (body) => {
      expect(await take(stream({ body }), options)).toMatchObject({ code: "ERR_BODY_CONSUMED" });
    },
  );

  it("E24 refuses where an encoding was set, since the bytes are changed", async () => {
    const encoded = stream({});
    encoded.setEncoding("utf8");
    expect(await take(encoded, options)).toMatchObject({
      code: "ERR_BODY_CONSUMED",
      reason: expect.stringMatching(/setEncoding/),
    });
  });

  it("takes a Uint8Array that a platform kept", async () => {
    const rawBody = new TextEncoder().encode("xabcx").subarray(1, 4);
    const bytes = await take(stream({ rawBody }), { ...options, rawBodyFrom: "rawBody" });
    expect(Buffer.isBuffer(bytes) && bytes.toString()).toBe("abc");
  });
});
