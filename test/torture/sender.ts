import { Agent, request } from "node:http";
import { type EventData, hooksPath, serviceKey } from "./options.js";

/** What a sender heard; undefined where the connection ended before the answer. */
export type Heard = { readonly status: number; readonly text: string } | undefined;

/** Sends deliveries over connections that it keeps open. */
export interface Sender {
  send(port: number, type: string, id: string, data?: EventData): Promise<Heard>;
  close(): void;
}

/** `connections`: as many may be open at once. An answer that does not come within 30 s is none. */
export function createSender(connections: number): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return {
    send: (port, type, id, data = {}) => {
      const body = Buffer.from(JSON.stringify({ id, type, ...data }));
      return new Promise((resolve) => {
        const headers = {
          key: serviceKey,
          "content-type": "application/json",
          "content-length": body.length,
        };
        const req = request(
          { agent, port, host: "127.0.0.1", path: hooksPath, method: "POST", headers },
          (res) => {
            let text = "";
            res.setEncoding("utf8").on("data", (chunk: string) => {
              text += chunk;
            });
            res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
            // The status came, the rest did not: no answer for a sender who reads it.
            res.on("close", () => resolve(undefined));
            res.on("error", () => resolve(undefined));
          },
        );
        req.on("error", () => resolve(undefined));
        req.setTimeout(30_000, () => req.destroy());
        req.end(body);
      });
    },
    close: () => agent.destroy(),
  };
}

/** What the file must hold for, as heard by senders. */
export interface Promised {
  /** Ids that were answered 2xx. */
  readonly acknowledged: Set<string>;
  /** Ids that were sent, whatever came of it. */
  readonly sent: Set<string>;
  /** Answers by their status; 0: none. */
  readonly answers: Map<number, number>;
}

/** An empty account of what was promised. */
export function createPromised(): Promised {
  return { acknowledged: new Set(), sent: new Set(), answers: new Map() };
}

/** Enters an answer. */
export function hear({ acknowledged, answers }: Promised, id: string, heard: Heard): void {
  const status = heard?.status ?? 0;
  answers.set(status, (answers.get(status) ?? 0) + 1);
  if (status >= 200 && status < 300) acknowledged.add(id);
}
