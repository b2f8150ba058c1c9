import type { Host } from "./host.js";
import type { Answers, Reply, Request, Times } from "./protocol.js";

interface Pending {
  readonly request: Request;
  resolve(value: unknown): void;
  reject(error: unknown): void;
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
  /** To go with the next message. */
  #outbox: Pending[] = [];
  readonly #inFlight = new Set<readonly Pending[]>();
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
      this.#outbox.push({ request, resolve, reject });
      if (this.#outbox.length === 1) queueMicrotask(() => this.#send());
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
    for (const pending of [...[...this.#inFlight].flat(), ...this.#outbox.splice(0)]) pending.reject(error);
    await this.#host.abandon();
  }

  /** Milliseconds since the last write that the store has taken. */
  wroteAgoMs(): number {
    return performance.now() - this.#wroteAtMs;
  }

  #send(): void {
    if (this.#opening || this.#outbox.length === 0) return;
    const message = this.#outbox;
    this.#outbox = [];
    this.#inFlight.add(message);
    const requests = message.map(({ request }) => request);
    this.#host.send(requests, this.#times()).then(
      (replies) => this.#answered(message, replies),
      (error: unknown) => this.#lost(message, error),
    );
  }

  #answered(message: readonly Pending[], replies: readonly Reply[]): void {
    this.#inFlight.delete(message);
    for (const [index, { request, resolve, reject }] of message.entries()) {
      const reply = replies[index];
      if (reply?.ok === true) {
        if (writes.has(request.op)) this.#wroteAtMs = performance.now();
        resolve(reply.value);
      } else {
        this.#failed(reply?.error);
        reject(reply?.error);
      }
    }
    this.#checkIdle();
  }

  #lost(message: readonly Pending[], error: unknown): void {
    this.#inFlight.delete(message);
    for (const { reject } of message) {
      this.#failed(error);
      reject(error);
    }
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#opening || this.#inFlight.size > 0 || this.#outbox.length > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
