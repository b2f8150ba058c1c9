import type { IncomingMessage } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver, credentialsFromLookup, type ReceiverOptions } from "hookgate";
import { createScene, mounts } from "../support/scene.js";
import { postHead, type Wire } from "../support/wire.js";

const scene = createScene();
afterAll(scene.close);
const key = scene.secret("key");
const body = JSON.stringify({ type: "any", note: scene.secret("body") });
const json = [`Key: ${key}`, "Content-Type: application/json"];
const chunked = postHead(...json, "Transfer-Encoding: chunked");

function createTarget(options: Partial<ReceiverOptions> = {}) {
  const bodies: string[] = [];
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key },
    logger: scene.logger,
    hooks: scene.hooks,
    ...options,
  });
  receiver.onAny((_event, { delivery }) => bodies.push(delivery.rawBody.toString("latin1")));
  return { bodies, receiver };
}

/** Writes the bytes and gives the only answer, which must close the connection. */
async function closing(wire: Wire, bytes: string | Buffer) {
  void wire.send(bytes);
  const [answer] = await wire.answers(1);
  await wire.ended;
  expect(await wire.answers(1)).toHaveLength(1);
  return answer!;
}

describe.each(mounts)("E: framing on %s", (_name, mount) => {
  async function start(options?: Partial<ReceiverOptions>) {
    const { bodies, receiver } = createTarget(options);
    const port = await scene.listen(mount(receiver.middleware()));
    return { bodies, port, open: () => scene.open(port) };
  }

  it("E01 answers other methods 405 with Allow, and OPTIONS 204 without any CORS header", async () => {
    const { port, bodies } = await start();
    for (const method of ["GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]) {
      const answer = await scene.send(port, { method, key });
      expect([method, answer.status, answer.headers.allow]).toEqual([method, 405, "POST"]);
    }
    const head = await scene.send(port, { method: "HEAD", key });
    expect([head.status, head.headers.allow, head.text]).toEqual([405, "POST", ""]);
    const options = await scene.send(port, {
      method: "OPTIONS",
      headers: { origin: "https://evil.test", "access-control-request-method": "POST" },
    });
    expect([options.status, options.headers.allow, options.text]).toEqual([204, "POST", ""]);
    expect(Object.keys(options.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(bodies).toEqual([]);
  });

  it("E02 refuses 50 MB by their announcement, and closes", async () => {
    const { bodies, open } = await start();
    const wire = await open();
    const answer = await closing(wire, postHead(...json, "Content-Length: 52428800"));
    expect([answer.status, answer.head]).toEqual([413, expect.stringMatching(/^Connection: close$/m)]);
    // Before the credential is looked at: the length costs less.
    const stranger = await closing(await open(), postHead("Key: wrong", "Content-Length: 52428800"));
    expect([stranger.status, bodies]).toEqual([413, []]);
  });

  it("E02 lets a sender that writes 50 MB blindly read the 413", async () => {
    const { bodies, open } = await start();
    const wire = await open();
    const answer = wire.answers(1);
    void wire.send(postHead(...json, "Content-Length: 52428800"));
    const megabyte = Buffer.alloc(1_048_576, "x");
    for (let sent = 0; sent < 50 && !wire.socket.destroyed; sent++) {
      if (!wire.socket.write(megabyte)) {
        await Promise.race([new Promise((resolve) => wire.socket.once("drain", resolve)), wire.ended]);
      }
      if (wire.text() !== "") break;
    }
    expect((await answer)[0]?.status).toBe(413);
    await wire.ended;
    expect(wire.socket.bytesWritten).toBeLessThan(50 * 1_048_576);
    expect(bodies).toEqual([]);
  });

  it("E03 refuses a chunked body at the chunk that passes the limit, and closes", async () => {
    const { bodies, open } = await start({ body: { maxBytes: 1000 } });
    const wire = await open();
    await wire.send(`${chunked}3e8\r\n${"x".repeat(1000)}\r\n`);
    const answer = await closing(wire, "1\r\nx\r\n");
    expect([answer.status, answer.head]).toEqual([413, expect.stringMatching(/^Connection: close$/m)]);
    expect(bodies).toEqual([]);
  });

  it("E03 takes a chunked body within it, with chunk extensions and trailers ignored (E28)", async () => {
    const { bodies, open } = await start();
    const wire = await open();
    const size = body.length.toString(16);
    await wire.send(`${chunked}${size};ext=1\r\n${body}\r\n0\r\nKey: other\r\nX-Any: thing\r\n\r\n`);
    expect((await wire.answers(1))[0]?.status).toBe(200);
    expect(bodies).toEqual([body]);
  });

  it("E28 takes no credential from a trailer", async () => {
    const { bodies, open } = await start();
    const wire = await open();
    const head = postHead("Content-Type: application/json", "Transfer-Encoding: chunked", "Trailer: Key");
    await wire.send(`${head}${body.length.toString(16)}\r\n${body}\r\n0\r\nKey: ${key}\r\n\r\n`);
    expect((await wire.answers(1))[0]?.status).toBe(401);
    expect(bodies).toEqual([]);
  });

  it("E07 drops a delivery whose sender leaves before its body is complete", async () => {
    const refused: string[] = [];
    let told = (): void => {};
    const reported = new Promise<void>((resolve) => {
      told = resolve;
    });
    const hooks = {
      refused: ({ code }: { code: string }) => {
        refused.push(code);
        told();
      },
    };
    const { bodies, open } = await start({ hooks });
    const wire = await open();
    await wire.send(`${postHead(...json, `Content-Length: ${body.length + 1}`)}${body}`);
    wire.socket.destroy();
    await reported;
    expect([refused, bodies]).toEqual([["ERR_BODY_ABORTED"], []]);
  });

  it("E07 reads what stands behind a body as the next request", async () => {
    const { bodies, open } = await start();
    const wire = await open();
    const whole = `${postHead(...json, `Content-Length: ${body.length}`)}${body}`;
    await wire.send(whole);
    await wire.answers(1);
    await wire.send("GARBAGE\r\n\r\n");
    const statuses = (await wire.answers(2)).map(({ status }) => status);
    expect([statuses, bodies]).toEqual([[200, 400], [body]]);
    await wire.ended;
  });

  it.each([
    [
      "Content-Length and Transfer-Encoding",
      ["Content-Length: 2", "Transfer-Encoding: chunked"],
      "0\r\n\r\n",
    ],
    [
      "Transfer-Encoding and Content-Length",
      ["Transfer-Encoding: chunked", "Content-Length: 2"],
      "0\r\n\r\n",
    ],
    ["two different Content-Lengths", ["Content-Length: 2", "Content-Length: 3"], "{}x"],
    ["two equal Content-Lengths", ["Content-Length: 2", "Content-Length: 2"], "{}"],
    ["a list of Content-Lengths", ["Content-Length: 2, 2"], "{}"],
    ["a signed Content-Length", ["Content-Length: +2"], "{}"],
    ["a negative Content-Length", ["Content-Length: -2"], "{}"],
    ["a hexadecimal Content-Length", ["Content-Length: 0x2"], "{}"],
    ["a Content-Length beyond all numbers", ["Content-Length: 99999999999999999999"], "{}"],
    ["an unknown Transfer-Encoding", ["Transfer-Encoding: xchunked"], "0\r\n\r\n"],
    ["Transfer-Encoding: identity", ["Transfer-Encoding: identity"], "{}"],
    ["chunked, then something else", ["Transfer-Encoding: chunked, identity"], "0\r\n\r\n"],
    ["chunked hidden by a vertical tab", ["Transfer-Encoding: \x0bchunked"], "0\r\n\r\n"],
    ["a line feed alone between headers", ["X-A: 1\nX-B: 2"], ""],
    ["a folded header", ["X-A: 1\r\n 2"], ""],
    ["a space before the colon", ["Content-Length : 2"], "{}"],
    ["NUL in a header", ["X-A: a\0b"], ""],
    ["a header without a name", [": x"], ""],
    ["a header without a colon", ["nothing"], ""],
    ["a chunk size that is none", ["Transfer-Encoding: chunked"], "zz\r\n{}\r\n0\r\n\r\n"],
    ["a chunk longer than its size", ["Transfer-Encoding: chunked"], "1\r\n{}\r\n0\r\n\r\n"],
    ["a chunk size beyond all numbers", ["Transfer-Encoding: chunked"], `${"f".repeat(17)}\r\n{}\r\n`],
    [
      "a flood of chunk extensions",
      ["Transfer-Encoding: chunked"],
      `2;${"e".repeat(70_000)}\r\n{}\r\n0\r\n\r\n`,
    ],
  ] as const)("E08 refuses %s and closes, and no handler runs", async (_case, lines, rest) => {
    const { bodies, open } = await start();
    const answer = await closing(await open(), postHead(...json, ...lines) + rest);
    expect([400, 413]).toContain(answer.status);
    expect(bodies).toEqual([]);
  });

  it("E09 gives up a body that comes too slowly: 408, and closes", async () => {
    const { bodies, open } = await start({ body: { timeout: "60ms" } });
    const answer = await closing(await open(), `${postHead(...json, "Content-Length: 100")}{`);
    expect([answer.status, answer.head]).toEqual([408, expect.stringMatching(/^Connection: close$/m)]);
    expect(answer.body).toContain("ERR_BODY_TIMEOUT");
    expect(bodies).toEqual([]);
  });

  it("E12 judges pipelined requests each on its own, in their order", async () => {
    const { bodies, open } = await start();
    const wire = await open();
    const length = `Content-Length: ${body.length}`;
    const good = `${postHead(...json, length)}${body}`;
    const bad = `${postHead("Key: wrong", "Content-Type: application/json", length)}${body}`;
    const none = `${postHead("Content-Type: application/json", length)}${body}`;
    await wire.send(good + bad + good + none + good);
    const statuses = (await wire.answers(5)).map(({ status }) => status);
    expect([statuses, bodies]).toEqual([
      [200, 401, 200, 401, 200],
      [body, body, body],
    ]);
  });

  it("E12 closes behind a refusal whose body is long or chunked, and hands none of it out as a request", async () => {
    const smuggled = `${postHead(...json, `Content-Length: ${body.length}`)}${body}`;
    const wrong = ["Key: wrong", "Content-Type: application/json"];
    const { bodies, open } = await start();
    const long = await closing(await open(), postHead(...wrong, "Content-Length: 200000") + smuggled);
    const endless = await closing(
      await open(),
      `${postHead(...wrong, "Transfer-Encoding: chunked")}ffff\r\n${smuggled}`,
    );
    expect([long.status, endless.status, bodies]).toEqual([401, 401, []]);
  });

  it("E25 makes the same decision however the path is written", async () => {
    const { bodies, port } = await start();
    for (const target of [
      "/hooks",
      "/hooks/",
      "/HOOKS",
      "//hooks",
      "/./hooks",
      "/x/../hooks",
      "/%68ooks",
      "/hooks%2f",
      "/hooks;a=b",
      "/hooks?",
      "/hooks#x",
      "http://hooks.test/hooks",
      "http://other.test/hooks?key=x",
    ]) {
      const wire = await scene.open(port);
      const head = `POST ${target} HTTP/1.1\r\nHost: hooks.test\r\nContent-Type: application/json\r\n`;
      await wire.send(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
      const status = (await wire.answers(1))[0]?.status ?? 0;
      // 404 where Express has no such route; never further than the credential.
      expect([target, [400, 401, 404].includes(status)]).toEqual([target, true]);
    }
    expect(bodies).toEqual([]);
  });

  it("E27 refuses more than 100 header lines, and Node more than 16 KiB", async () => {
    const { bodies, open } = await start();
    const many = (count: number) => Array.from({ length: count }, (_, at) => `X-${at}: 1`);
    const length = `Content-Length: ${body.length}`;
    // Host, Key, Content-Type and Content-Length count as well.
    const fits = await open();
    await fits.send(`${postHead(...json, length, ...many(96))}${body}`);
    expect((await fits.answers(1))[0]?.status).toBe(200);
    const flood = await closing(await open(), `${postHead(...json, length, ...many(97))}${body}`);
    const heavy = await closing(await open(), postHead(...json, `X-A: ${"a".repeat(17_000)}`));
    expect([flood.status, heavy.status, bodies]).toEqual([431, 431, [body]]);
  });

  it("E30 does not mind that the sender has gone when the answer is ready", async () => {
    let started = (): void => {};
    let finish = (): void => {};
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let handled = (): void => {};
    const wasHandled = new Promise<void>((resolve) => {
      handled = resolve;
    });
    const { receiver } = createTarget({ hooks: { handled: () => handled() } });
    receiver.on("any", () => {
      started();
      return done;
    });
    let closed = Promise.resolve();
    const listener = mount(receiver.middleware());
    const port = await scene.listen((req, res) => {
      closed = new Promise((resolve) => res.once("close", () => resolve()));
      listener(req, res);
    });
    const wire = await scene.open(port);
    await wire.send(`${postHead(...json, `Content-Length: ${body.length}`)}${body}`);
    await running;
    wire.socket.resetAndDestroy();
    await closed;
    finish();
    await wasHandled;
    const next = await scene.send(port, { method: "GET" });
    expect(next.status).toBe(405);
  });
});

describe("E: what Node does before us", () => {
  it("E11 says 100 to Expect: 100-continue, and 417 to any other expectation", async () => {
    const { bodies, receiver } = createTarget();
    const port = await scene.listen(mounts[0]![1](receiver.middleware()));
    const wire = await scene.open(port);
    const length = `Content-Length: ${body.length}`;
    await wire.send(postHead(...json, length, "Expect: 100-continue"));
    expect((await wire.answers(1))[0]?.status).toBe(100);
    await wire.send(body);
    expect((await wire.answers(2))[1]?.status).toBe(200);
    const other = await scene.open(port);
    await other.send(postHead(...json, length, "Expect: 200-ok"));
    expect((await other.answers(1))[0]?.status).toBe(417);
    expect(bodies).toEqual([body]);
  });
});

it("E10 touches nothing of a body before the credential has passed", async () => {
  let asked = (): void => {};
  let answer = (_found: undefined): void => {};
  const wasAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const credentials = credentialsFromLookup({
    key: () => {
      asked();
      return new Promise<undefined>((resolve) => {
        answer = resolve;
      });
    },
  });
  const { receiver, bodies } = createTarget({ auth: { accept: ["service-key"], credentials } });
  const middleware = receiver.middleware();
  let request: IncomingMessage | undefined;
  const port = await scene.listen((req, res) => {
    request = req;
    middleware(req, res, () => {});
  });
  const wire = await scene.open(port);
  void wire.send(postHead(...json, "Content-Length: 250000") + "x".repeat(250_000));
  await wasAsked;
  // Node itself takes what fits its buffer.
  while (request?.readableLength === 0 && !request.readableDidRead) await turn();
  expect(request?.readableDidRead).toBe(false);
  expect(request?.listenerCount("data")).toBe(0);
  expect(request?.readableLength).toBeLessThan(200_000);
  answer(undefined);
  expect((await wire.answers(1))[0]?.status).toBe(401);
  await wire.ended;
  expect(bodies).toEqual([]);
});

it("I01 shows no key and nothing of a body in log and answers", () => {
  expect(scene.takeLog().length).toBeGreaterThan(50);
  expect(scene.leaks()).toEqual([]);
});
