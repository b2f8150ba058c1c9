import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from "node:http";
import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { setImmediate as nextTurn } from "node:timers/promises";
import { parseJson } from "../lib/json.js";

/** What a sender would send. Whatever is left out is left out of the request as well. */
export interface TestDelivery {
  /** Default: POST. */
  readonly method?: string | undefined;
  /** Path and query, sent as they are. Default: "/", or those of the URL. */
  readonly path?: string | undefined;
  /** A string or bytes as they are; anything else as JSON. */
  readonly body?: unknown;
  /** Default: `application/json` where there is a body. */
  readonly contentType?: string | undefined;
  /** Sent in the key header. */
  readonly key?: string | undefined;
  /** Default: `key`. */
  readonly keyHeader?: string | undefined;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined;
  /** Further headers; they win over those above. A list sends a header more than once. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
}

/** What came back. */
export interface TestAnswer {
  /** Status of the answer. */
  readonly status: number;
  /** Headers by lower-case name. */
  readonly headers: IncomingMessage["headers"];
  /** The body as text. */
  readonly text: string;
  /** The body parsed as JSON. Throws where it is none. */
  json(): unknown;
}

/** Who can be sent to: a URL, or an Express app or other request listener, which is then reached without a socket. */
export type TestTarget = string | URL | RequestListener;

/**
 * Sends a delivery and resolves with the answer. An app is given a real HTTP connection in memory: no port is
 * opened, and `remoteAddress` (default 127.0.0.1) is what the app sees as the sender's address.
 */
export async function sendDelivery(
  target: TestTarget,
  delivery: TestDelivery,
  options: {
    /** Address that the app sees as the sender's. Default: 127.0.0.1. */
    readonly remoteAddress?: string | undefined;
  } = {},
): Promise<TestAnswer> {
  if (typeof target === "function") {
    const connection = connectInMemory(createServer(target), options.remoteAddress ?? "127.0.0.1");
    const answer = await exchange(new URL("http://in-memory.test"), delivery, connection);
    // Without a socket nothing of it leaves the current turn: timers would starve in a loop of deliveries.
    await nextTurn();
    return answer;
  }
  return exchange(new URL(target), delivery);
}

function connectInMemory(server: Server, remoteAddress: string) {
  const [client, accepted] = duplexPair();
  server.emit("connection", Object.assign(accepted, { remoteAddress }));
  return () => client;
}

function exchange(
  url: URL,
  delivery: TestDelivery,
  createConnection?: ReturnType<typeof connectInMemory>,
): Promise<TestAnswer> {
  const body = bodyOf(delivery.body);
  const headers: OutgoingHttpHeaders = { ...headersOf(delivery, body) };
  for (const [name, value] of Object.entries(delivery.headers ?? {})) {
    headers[name.toLowerCase()] = typeof value === "string" ? value : [...value];
  }
  return new Promise((resolve, reject) => {
    const { method = "POST", path = `${url.pathname}${url.search}` } = delivery;
    // With an agent, even a fresh one, Node would look the host up instead of using our connection.
    const connection = createConnection === undefined ? { agent: false } : { createConnection };
    const sent = request(url, { method, path, headers, ...connection }, (response) => {
      text(response).then((content) => {
        sent.destroy();
        const { statusCode = 0, headers: received } = response;
        resolve({ status: statusCode, headers: received, text: content, json: () => parseJson(content) });
      }, reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function headersOf(delivery: TestDelivery, body: Buffer | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (body !== undefined) {
    headers["content-type"] = delivery.contentType ?? "application/json";
    headers["content-length"] = String(body.length);
  }
  if (delivery.key !== undefined) headers[delivery.keyHeader ?? "key"] = delivery.key;
  if (delivery.token !== undefined) headers.authorization = `Bearer ${delivery.token}`;
  return headers;
}

function bodyOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  if (typeof body === "string" || body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(JSON.stringify(body));
}
