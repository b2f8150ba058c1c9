import type { Host } from "./host.js";
import type { Answers, Request, Times } from "./protocol.js";

interface Entry {
  readonly request: Request;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Requests that write whatever they find. */
const writes: ReadonlySet<Request["op"]> = new Set(["join", "heartbeat", "probe"]);

/** Brings requests to a host: those that come while a group is under way share the next one, and its commit. */
export class RequestQueue {
  readonly #host: Host;
  readonly #times: () => Times;
  readonly #failed: (error: unknown) => void;
  #waiting: Entry[] = [];
  /** Sent, and not yet answered. */
  #sent: readonly Entry[] = [];
  #underWay = false;
  #closed = false;
  #wroteAtMs = Number.NEGATIVE_INFINITY;
  #quiet: (() => void)[] = [];

  /** `failed` is told what each failed request failed with. */
  constructor(host: Host, times: () => Times, failed: (error: unknown) => void = () => {}) {
    this.#host = host;
    this.#times = times;
    this.#failed = failed;
  }

  /** Opens the store; resolves with its clock. Nothing is sent before that. */
  async open(): Promise<number> {
    this.#underWay = true;
    try {
      return await this.#host.open();
    } finally {
      this.#next();
    }
  }

  /** Resolves with the answer, or rejects with what the store said. */
  ask<Op extends Request["op"]>(request: Extract<Request, { op: Op }>): Promise<Answers[Op]> {
    if (this.#closed) return Promise.reject(new Error("the engine was closed"));
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      // Not at once: what is asked in one turn of the event loop is asked together.
      if (!this.#underWay && this.#waiting.length === 1) queueMicrotask(() => this.#send());
    }) as Promise<Answers[Op]>;
  }

  /** Takes nothing more; resolves when all that was asked has its answer, and the host is closed behind it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#idle();
    await this.#host.close();
  }

  /** Rejects all that was asked, at once; resolves when the host has ended, also where `close` waits. */
  async abandon(): Promise<void> {
    this.#closed = true;
    const error = new Error("the engine was closed");
    for (const entry of [...this.#sent, ...this.#waiting.splice(0)]) entry.reject(error);
    await this.#host.abandon();
  }

  #idle(): Promise<void> {
    if (!this.#underWay && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#quiet.push(resolve));
  }

  #send(): void {
    if (this.#underWay || this.#waiting.length === 0) return;
    this.#underWay = true;
    const entries = this.#waiting;
    this.#waiting = [];
    this.#sent = entries;
    const requests = entries.map(({ request }) => request);
    this.#host.send(requests, this.#times()).then(
      (replies) => {
        this.#next();
        for (const [index, entry] of entries.entries()) {
          const reply = replies[index];
          if (reply?.ok === true) this.#resolve(entry, reply.value);
          else this.#reject(entry, reply?.error);
        }
      },
      (error: unknown) => {
        this.#next();
        for (const entry of entries) this.#reject(entry, error);
      },
    );
  }

  /** Milliseconds since the last write that the store has taken. */
  wroteAgoMs(): number {
    return performance.now() - this.#wroteAtMs;
  }

  #resolve(entry: Entry, value: unknown): void {
    if (writes.has(entry.request.op)) this.#wroteAtMs = performance.now();
    entry.resolve(value);
  }

  #reject(entry: Entry, error: unknown): void {
    this.#failed(error);
    entry.reject(error);
  }

  /** The store works on the next group while this one's answers are given. */
  #next(): void {
    this.#underWay = false;
    this.#sent = [];
    this.#send();
    if (this.#underWay) return;
    for (const resolve of this.#quiet.splice(0)) resolve();
  }
}
