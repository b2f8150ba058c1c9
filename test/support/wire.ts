import { connect, type Socket } from "node:net";

/** One HTTP answer, as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Status line and header lines. */
  readonly head: string;
  readonly body: string;
}

/** A raw connection: for what Node's own client refuses to send. */
export interface Wire {
  readonly socket: Socket;
  /** Everything received so far. */
  text(): string;
  send(bytes: string | Uint8Array): Promise<void>;
  /** Resolves when this many answers are complete; rejects where the connection ends before. */
  answers(count: number): Promise<readonly WireAnswer[]>;
  /** Resolves when the server has closed its side. */
  readonly ended: Promise<void>;
}

/** Opens a raw connection to a port of this machine. */
export async function openWire(port: number): Promise<Wire> {
  const socket = connect({ port, host: "127.0.0.1" });
  const chunks: Buffer[] = [];
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of [...listeners]) listener();
  };
  let over = false;
  socket.on("data", (chunk) => {
    chunks.push(chunk);
    changed();
  });
  // A reset is one of the ways in which a server closes; the tests look at what came before it.
  socket.on("error", () => {});
  const finish = (): void => {
    over = true;
    changed();
  };
  socket.on("end", finish);
  socket.on("close", finish);
  const text = (): string => Buffer.concat(chunks).toString("latin1");
  const until = (done: () => boolean, failure: () => string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const settled = done();
        if (!settled && !over) return;
        listeners.delete(look);
        if (settled) resolve();
        else reject(new Error(failure()));
      };
      listeners.add(look);
      look();
    });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return {
    socket,
    text,
    send: (bytes) =>
      new Promise((resolve) => {
        socket.write(bytes, () => resolve());
      }),
    async answers(count) {
      await until(
        () => parseAnswers(text()).length >= count,
        () => `the connection ended after ${parseAnswers(text()).length} of ${count} answers: ${text()}`,
      );
      return parseAnswers(text());
    },
    get ended() {
      return until(
        () => over,
        () => "",
      );
    },
  };
}

function parseAnswers(text: string): WireAnswer[] {
  const answers: WireAnswer[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf("\r\n\r\n", at);
    if (end === -1) return answers;
    const head = text.slice(at, end);
    const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0);
    at = end + 4 + length;
    if (at > text.length) return answers;
    answers.push({ status: Number(head.slice(9, 12)), head, body: text.slice(end + 4, at) });
  }
}

/** The head of a POST to /hooks, with the lines given. */
export function postHead(...lines: string[]): string {
  return `${["POST /hooks HTTP/1.1", "Host: hooks.test", ...lines].join("\r\n")}\r\n\r\n`;
}
