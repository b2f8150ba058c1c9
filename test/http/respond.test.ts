import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "@jest/globals";
import express5 from "express";
import express4 from "express4";
import { readBody } from "../../src/body/read.js";
import { Refusal } from "../../src/errors.js";
import {
  jsonAnswer,
  type PreparedAnswer,
  prepareAnswer,
  problemAnswer,
  sendAnswer,
} from "../../src/http/send-response.js";
import { systemClock } from "../../src/lib/clock.js";

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function listen(
  listener: RequestListener,
): Promise<{ port: number; server: Server; accepted: Socket[] }> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  const accepted: Socket[] = [];
  server.on("connection", (socket) => accepted.push(socket));
  await once(server, "listening");
  stops.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { port: (server.address() as AddressInfo).port, server, accepted };
}

interface Peer {
  readonly socket: Socket;
  readonly received: () => string;
  readonly fault: () => Error | undefined;
  readonly ended: () => boolean;
  readonly closed: Promise<unknown>;
}

function open(port: number): Peer {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  let fault: Error | undefined;
  let ended = false;
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("end", () => {
    ended = true;
  });
  socket.on("error", (error) => {
    fault = error;
  });
  // Not once(): that would reject on the error events that are part of these tests.
  const closed = new Promise((resolve) => socket.on("close", resolve));
  return { socket, received: () => text, fault: () => fault, ended: () => ended, closed };
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
const refused = problemAnswer("ERR_KEY_INVALID");
const refuse: RequestListener = (_req, res) => void sendAnswer(res, refused, { requestId: "r" });
const answers = (text: string): number => text.split("HTTP/1.1 ").length - 1;

async function get(answer: PreparedAnswer, method = "POST", wrap = (listener: RequestListener) => listener) {
  const { port } = await listen(wrap((_req, res) => void sendAnswer(res, answer, { requestId: "req-1" })));
  return fetch(`http://127.0.0.1:${port}/`, { method });
}

describe.each<[string, (listener: RequestListener) => RequestListener]>([
  ["node:http", (listener) => listener],
  ["Express 4", (listener) => express4().use(listener)],
  ["Express 5", (listener) => express5().use(listener)],
])("sendAnswer under %s", (_name, wrap) => {
  it("sends status, the common headers, the request id and the body", async () => {
    const response = await get(jsonAnswer(202, { status: "accepted", id: "é" }), "POST", wrap);
    expect(response.status).toBe(202);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("content-length")).toBe("31");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("x-request-id")).toBe("req-1");
    expect(await response.json()).toEqual({ status: "accepted", id: "é" });
  });

  it("E01 sends no body to HEAD, and none with 204", async () => {
    const head405 = await get(problemAnswer("ERR_METHOD", { Allow: "POST, OPTIONS" }), "HEAD", wrap);
    expect([head405.status, head405.headers.get("allow"), await head405.text()]).toEqual([
      405,
      "POST, OPTIONS",
      "",
    ]);
    const options = await get(prepareAnswer({ status: 204, headers: { Allow: "POST" } }), "OPTIONS", wrap);
    expect([options.status, options.headers.get("content-length"), await options.text()]).toEqual([
      204,
      null,
      "",
    ]);
  });

  it("E02 answers a 50 MB upload that is written blindly with 413, reading next to nothing of it", async () => {
    const tooLarge = problemAnswer("ERR_BODY_TOO_LARGE");
    const listener = wrap((_req, res) => void sendAnswer(res, tooLarge, { requestId: "r" }));
    const { port, accepted } = await listen(listener);
    for (const framing of ["Content-Length: 52428800", "Transfer-Encoding: chunked"]) {
      const { socket, received, closed } = open(port);
      socket.write(head(framing));
      const part = Buffer.alloc(65_536, "x");
      for (let sent = 0; sent < 50 * 1024 * 1024; sent += part.length) {
        if (framing.startsWith("Transfer")) socket.write("10000\r\n");
        socket.write(part);
        if (framing.startsWith("Transfer")) socket.write("\r\n");
      }
      await closed;
      expect(received()).toMatch(/^HTTP\/1\.1 413 Payload Too Large\r\n[\s\S]*ERR_BODY_TOO_LARGE"\}$/);
      expect(received()).toMatch(/\r\nConnection: close\r\n/);
      // 64 KiB, and what one read and the request's own buffer hold at a time.
      expect(accepted.at(-1)?.bytesRead).toBeLessThan(5 * 65_536);
    }
  });
});

describe("prepareAnswer", () => {
  it("needs nothing but a status", () => {
    expect(prepareAnswer({ status: 200 })).toEqual({
      status: 200,
      headers: ["Cache-Control", "no-store", "X-Content-Type-Options", "nosniff", "Content-Length", "0"],
      body: "",
      close: false,
    });
  });
});

describe("problemAnswer", () => {
  const headerOf = ({ headers }: PreparedAnswer, name: string) =>
    headers.includes(name) ? headers[headers.indexOf(name) + 1] : undefined;
  const bodyOf = (answer: PreparedAnswer): unknown => JSON.parse(String(answer.body));

  it("names the code below 500, with the phrase of RFC 9110", () => {
    expect(bodyOf(problemAnswer("ERR_BODY_TOO_LARGE"))).toEqual({
      type: "about:blank",
      title: "Content Too Large",
      status: 413,
      code: "ERR_BODY_TOO_LARGE",
    });
    expect(headerOf(problemAnswer("ERR_KEY_INVALID"), "Content-Type")).toBe("application/problem+json");
  });

  it("does not tell one failure of ours from another", () => {
    expect(problemAnswer("ERR_OVERLOADED").body).toEqual(problemAnswer("ERR_CREDENTIALS_UNAVAILABLE").body);
    expect(bodyOf(problemAnswer("ERR_BODY_CONSUMED"))).toEqual({
      type: "about:blank",
      title: "Internal Server Error",
      status: 500,
    });
  });

  it("takes Retry-After and closing from the table of errors", () => {
    expect(headerOf(problemAnswer("ERR_OVERLOADED"), "Retry-After")).toBe("1");
    expect(headerOf(problemAnswer("ERR_KEY_INVALID"), "Retry-After")).toBeUndefined();
    expect([problemAnswer("ERR_STOPPED").close, problemAnswer("ERR_OVERLOADED").close]).toEqual([
      true,
      false,
    ]);
  });
});

describe("sendAnswer and a sender that is gone", () => {
  it("E30 does nothing where an answer was sent or the sender left", async () => {
    const results: boolean[] = [];
    const { port } = await listen((req, res) => {
      if (req.url === "/sent") {
        res.write("x");
        results.push(sendAnswer(res, refused, { requestId: "r" }));
        res.end();
        results.push(sendAnswer(res, refused, { requestId: "r" }));
      } else {
        res.on("close", () => results.push(sendAnswer(res, refused, { requestId: "r" })));
        socket.resetAndDestroy();
      }
    });
    expect(await (await fetch(`http://127.0.0.1:${port}/sent`)).text()).toBe("x");
    const { socket, closed } = open(port);
    socket.write(head("Content-Length: 100000"));
    await closed;
    await until(() => results.length === 3);
    expect(results).toEqual([false, false, false]);
  });

  it("E30 survives a sender that resets while the answer is on its way, or while we linger", async () => {
    const { port, accepted } = await listen(refuse);
    for (const wait of [false, true]) {
      const { socket, received, closed } = open(port);
      await once(socket, "connect");
      socket.write(head("Content-Length: 100000"));
      if (wait) await until(() => received() !== "");
      socket.resetAndDestroy();
      await closed;
    }
    await until(() => accepted.every((socket) => socket.destroyed));
  });
});

describe("an unread body", () => {
  it("E10 is refused over HTTP/2 too, where only the stream ends", async () => {
    const server = createHttp2Server((_req, res) => {
      sendAnswer(res as unknown as ServerResponse, problemAnswer("ERR_BODY_TOO_LARGE"), { requestId: "r" });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    for (let round = 0; round < 2; round++) {
      const stream = session.request({ ":method": "POST", "content-length": "52428800" });
      const [headers] = await once(stream, "response");
      expect(headers[":status"]).toBe(413);
      // A client that closes a stream without reading it never ends its session on Node.js 24.
      let body = "";
      for await (const chunk of stream.setEncoding("utf8")) body += chunk;
      expect(JSON.parse(body)).toMatchObject({ code: "ERR_BODY_TOO_LARGE" });
      stream.close();
    }
    session.close();
    server.close();
    await once(server, "close");
  });

  it("E12 keeps the connection behind a small one, and answers the next request as itself", async () => {
    const { port } = await listen(refuse);
    const { socket, received } = open(port);
    socket.write(`${head("Content-Length: 5")}abcde${head("Content-Length: 65536")}`);
    await until(() => answers(received()) === 2);
    socket.write("x".repeat(65_536) + head());
    await until(() => answers(received()) === 3);
    expect(received()).not.toMatch(/Connection: close/);
  });

  it("E12 keeps the connection of a refused request without body", async () => {
    const { port } = await listen(refuse);
    const { socket, received } = open(port);
    socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2));
    await until(() => answers(received()) === 2);
    expect(received()).not.toMatch(/Connection: close/);
  });

  it.each([
    ["chunked", "Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"],
    ["longer than 64 KiB", "Content-Length: 65537", "x".repeat(65_537)],
  ])(
    "E12 closes behind one that is %s, and takes no request that follows it",
    async (_name, framing, body) => {
      const urls: (string | undefined)[] = [];
      const { port } = await listen((req, res) => {
        urls.push(req.url);
        sendAnswer(res, refused, { requestId: "r" });
      });
      const { socket, received, ended, closed } = open(port);
      socket.write(head(framing));
      await until(ended);
      socket.write(body + head().replace("POST /", "POST /smuggled"));
      socket.end();
      await closed;
      expect(received()).toMatch(/^HTTP\/1\.1 401 [\s\S]*\r\nConnection: close\r\n/);
      expect([answers(received()), urls]).toEqual([1, ["/"]]);
    },
  );

  it("E12 shuts our side at once, and the connection after a second, though the sender stays", async () => {
    const { port, accepted } = await listen(refuse);
    const { socket, ended } = open(port);
    socket.write(head("Content-Length: 100000"));
    await until(ended);
    const closed = once(accepted[0] as Socket, "close");
    expect(accepted[0]?.destroyed).toBe(false);
    await closed;
  });

  it("E12 reads at most 64 KiB and one chunk behind the answer", async () => {
    const { port, accepted } = await listen(refuse);
    const { socket, ended, closed } = open(port);
    socket.write(head("Content-Length: 52428800"));
    await until(ended);
    socket.write(Buffer.alloc(10 * 1024 * 1024));
    await closed;
    expect(accepted[0]?.bytesRead).toBeLessThanOrEqual(3 * 65_536);
  });

  it("E09 answers a body that stops half-way with 408, and closes", async () => {
    const { port } = await listen(async (req: IncomingMessage, res) => {
      const body = await new Promise<Buffer | Refusal>((resolve) =>
        readBody(req, { maxBytes: 1000, timeoutMs: 20, clock: systemClock }, { bodyRead: resolve }),
      );
      if (body instanceof Refusal) sendAnswer(res, problemAnswer(body.code), { requestId: "r" });
    });
    for (const start of [
      `${head("Content-Length: 10")}abc`,
      `${head("Transfer-Encoding: chunked")}a\r\nabc`,
    ]) {
      const { socket, received, ended, fault, closed } = open(port);
      socket.write(start);
      await until(ended);
      socket.end("more");
      await closed;
      expect(received()).toMatch(
        /^HTTP\/1\.1 408 [\s\S]*\r\nConnection: close\r\n[\s\S]*ERR_BODY_TIMEOUT"\}$/,
      );
      expect(fault()).toBeUndefined();
    }
  });

  it("E12 closes where it was given up half-way, however short", async () => {
    const { port } = await listen((req, res) => {
      req.once("data", () => {
        req.pause();
        sendAnswer(res, refused, { requestId: "r" });
      });
    });
    const { socket, received, ended, closed } = open(port);
    socket.write(`${head("Content-Length: 10")}abc`);
    await until(ended);
    socket.end();
    await closed;
    expect(received()).toMatch(/\r\nConnection: close\r\n/);
  });

  it("closes on request, where everything was read", async () => {
    const { port } = await listen(
      (_req, res) => void sendAnswer(res, refused, { requestId: "r", close: true }),
    );
    const { socket, received, ended, closed } = open(port);
    socket.write(head());
    await until(ended);
    socket.end();
    await closed;
    expect(received()).toMatch(/\r\nConnection: close\r\n/);
  });
});
