import { describe, expect, it } from "@jest/globals";
import type { Host } from "../../../../src/inbox/sqlite/host.js";
import type { Reply, Request } from "../../../../src/inbox/sqlite/protocol.js";
import { RequestQueue } from "../../../../src/inbox/sqlite/queue.js";

/** A host whose groups are answered when the test says so. */
class HeldHost implements Host {
  readonly groups: (readonly Request[])[] = [];
  readonly steps: string[] = [];
  #answer: ((replies: readonly Reply[]) => void) | undefined;

  async open(): Promise<number> {
    return 0;
  }

  send(requests: readonly Request[]): Promise<readonly Reply[]> {
    expect(this.#answer).toBeUndefined();
    this.groups.push(requests);
    this.steps.push(`send ${requests.length}`);
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  answer(): void {
    const resolve = this.#answer;
    this.#answer = undefined;
    resolve?.(this.groups.at(-1)?.map((_, value) => ({ ok: true, value })) ?? []);
  }

  async close(): Promise<void> {
    expect(this.#answer).toBeUndefined();
    this.steps.push("close");
  }

  async abandon(): Promise<void> {
    this.steps.push("abandon");
  }
}

const leave = { op: "leave", consumer: 1 } as const;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the queue before a store", () => {
  it("sends what comes while a group is under way with the next one", async () => {
    const host = new HeldHost();
    const queue = new RequestQueue(host, () => ({ wallMs: 0, storeMs: 0 }));
    const first = queue.ask(leave);
    await turn();
    const later = [queue.ask(leave), queue.ask(leave)];
    await turn();
    expect(host.steps).toEqual(["send 1"]);
    host.answer();
    await first;
    host.answer();
    expect(await Promise.all(later)).toEqual([0, 1]);
    expect(host.steps).toEqual(["send 1", "send 2"]);
  });

  it("H17: closes behind the last answer, and refuses what is asked from then on", async () => {
    const host = new HeldHost();
    const queue = new RequestQueue(host, () => ({ wallMs: 0, storeMs: 0 }));
    const asked = queue.ask(leave);
    const closed = queue.close();
    await expect(queue.ask(leave)).rejects.toThrow("closed");
    await turn();
    expect(host.steps).toEqual(["send 1"]);
    host.answer();
    expect(await asked).toBe(0);
    await closed;
    await expect(queue.ask(leave)).rejects.toThrow("closed");
    expect(host.steps).toEqual(["send 1", "close"]);
  });

  it("H17: rejects what was asked once it is abandoned, and sends nothing more", async () => {
    const host = new HeldHost();
    const queue = new RequestQueue(host, () => ({ wallMs: 0, storeMs: 0 }));
    const asked = [queue.ask(leave)];
    await turn();
    asked.push(queue.ask(leave));
    const closed = queue.close();
    const abandoned = queue.abandon();
    for (const each of asked) await expect(each).rejects.toThrow("closed");
    await abandoned;
    host.answer();
    await closed;
    expect(host.steps).toEqual(["send 1", "abandon", "close"]);
  });

  it("sends nothing before the store is open", async () => {
    const host = new HeldHost();
    let open = (_clockMs: number): void => {};
    host.open = () =>
      new Promise((resolve) => {
        open = resolve;
      });
    const queue = new RequestQueue(host, () => ({ wallMs: 0, storeMs: 0 }));
    const opened = queue.open();
    const asked = queue.ask(leave);
    await turn();
    expect(host.steps).toEqual([]);
    open(7);
    expect(await opened).toBe(7);
    host.answer();
    expect(await asked).toBe(0);
  });
});
