import type { Host } from "./hosts.js";
import type { Answers, Reply, Request, Times } from "./protocol.js";

/** Requests that share a message, and who waits for their answers. */
interface Outgoing {
  readonly requests: Request[];
  readonly waiting: { resolve(value: unknown): void; reject(error: unknown): void }[];
}

/** Requests that write whatever they find. */
const writes: ReadonlySet<Request["op"]> = new Set(["join", "heartbeat", "probe"]);

/**
 * Asks a store, on whatever thread it is. Groups nothing but what is asked in one turn: that goes in one message, and so into
 * one commit. Work is grouped before it gets here (`Batcher`).
 */
export class StoreClient {
  readonly #host: Host;
  readonly #times: () => Times;
  readonly #failed: (error: unknown) => void;
  #outbox: Outgoing = { requests: [], waiting: [] };
  readonly #inFlight = new Set<Outgoing>();
  readonly #flush = (): void => this.#send();
  #opening = false;
  #closed = false;
  #wroteAtMs = Number.NEGATIVE_INFINITY;
  #idle: (() => void)[] = [];

  /** `failed` is called with the error of each request that failed. */
  constructor(host: Host, times: () => Times, failed: (error: unknown) => void = () => {}) {
    this.#host = host;
    this.#times = times;
    this.#failed = failed;
  }

  /** Opens the store; resolves with its clock. Nothing is sent before that. */
  async open(): Promise<number> {
    this.#opening = true;
    try {
      return await this.#host.open();
    } finally {
      this.#opening = false;
      this.#send();
      this.#checkIdle();
    }
  }

  /** Resolves with the answer, or rejects with what the store said. */
  ask<Op extends Request["op"]>(request: Extract<Request, { op: Op }>): Promise<Answers[Op]> {
    if (this.#closed) return Promise.reject(new Error("the engine was closed"));
    return new Promise<unknown>((resolve, reject) => {
      this.#outbox.waiting.push({ resolve, reject });
      if (this.#outbox.requests.push(request) === 1) queueMicrotask(this.#flush);
    }) as Promise<Answers[Op]>;
  }

  /** Takes nothing more; resolves when every request has its answer and the host is closed. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
      this.#checkIdle();
    });
    await this.#host.close();
  }

  /** Rejects every request immediately; resolves when the host has ended, also while `close` waits. */
  async abandon(): Promise<void> {
    this.#closed = true;
    const error = new Error("the engine was closed");
    for (const { waiting } of [...this.#inFlight, this.#outbox]) {
      for (const { reject } of waiting) reject(error);
    }
    this.#outbox = { requests: [], waiting: [] };
    await this.#host.abandon();
  }

  /** Milliseconds since the last write that the store has taken. */
  wroteAgoMs(): number {
    return performance.now() - this.#wroteAtMs;
  }

  #send(): void {
    const message = this.#outbox;
    if (this.#opening || message.requests.length === 0) return;
    this.#outbox = { requests: [], waiting: [] };
    this.#inFlight.add(message);
    this.#host.send(message.requests, this.#times()).then(
      (replies) => this.#answered(message, replies),
      (error: unknown) => this.#lost(message, error),
    );
  }

  #answered(message: Outgoing, replies: readonly Reply[]): void {
    this.#inFlight.delete(message);
    for (const [index, { resolve, reject }] of message.waiting.entries()) {
      const reply = replies[index];
      const request = message.requests[index];
      if (reply?.ok === true) {
        if (request !== undefined && writes.has(request.op)) this.#wroteAtMs = performance.now();
        resolve(reply.value);
      } else {
        this.#failed(reply?.error);
        reject(reply?.error);
      }
    }
    this.#checkIdle();
  }

  #lost(message: Outgoing, error: unknown): void {
    this.#inFlight.delete(message);
    for (const { reject } of message.waiting) {
      this.#failed(error);
      reject(error);
    }
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#opening || this.#inFlight.size > 0 || this.#outbox.requests.length > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
