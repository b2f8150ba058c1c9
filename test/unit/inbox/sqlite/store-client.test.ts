import { describe, expect, it } from "@jest/globals";
import type { Host } from "../../../../src/inbox/sqlite/hosts.js";
import type { Reply, Request } from "../../../../src/inbox/sqlite/protocol.js";
import { StoreClient } from "../../../../src/inbox/sqlite/store-client.js";

/** A host whose messages are answered when the test says so, the oldest first. */
class HeldHost implements Host {
  readonly steps: string[] = [];
  readonly #answers: (() => void)[] = [];

  async open(): Promise<number> {
    return 0;
  }

  send(requests: readonly Request[]): Promise<readonly Reply[]> {
    this.steps.push(`send ${requests.length}`);
    return new Promise((resolve) => {
      this.#answers.push(() => resolve(requests.map((_, value) => ({ ok: true, value }))));
    });
  }

  answer(): void {
    this.#answers.shift()?.();
  }

  async close(): Promise<void> {
    expect(this.#answers).toEqual([]);
    this.steps.push("close");
  }

  async abandon(): Promise<void> {
    this.steps.push("abandon");
  }
}

const leave = { op: "leave", consumer: 1 } as const;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the client of a store", () => {
  it("sends what is asked in one turn as one message, and does not wait for the answers to earlier ones", async () => {
    const host = new HeldHost();
    const client = new StoreClient(host, () => ({ wallMs: 0, storeMs: 0 }));
    const first = client.ask(leave);
    await turn();
    const later = [client.ask(leave), client.ask(leave)];
    await turn();
    expect(host.steps).toEqual(["send 1", "send 2"]);
    host.answer();
    expect(await first).toBe(0);
    host.answer();
    expect(await Promise.all(later)).toEqual([0, 1]);
  });

  it("H17: closes behind the last answer, and refuses what is asked from then on", async () => {
    const host = new HeldHost();
    const client = new StoreClient(host, () => ({ wallMs: 0, storeMs: 0 }));
    const asked = client.ask(leave);
    await turn();
    const second = client.ask(leave);
    const closed = client.close();
    await expect(client.ask(leave)).rejects.toThrow("closed");
    await turn();
    expect(host.steps).toEqual(["send 1", "send 1"]);
    host.answer();
    expect(await asked).toBe(0);
    await turn();
    expect(host.steps).toEqual(["send 1", "send 1"]);
    host.answer();
    expect(await second).toBe(0);
    await closed;
    await expect(client.ask(leave)).rejects.toThrow("closed");
    expect(host.steps).toEqual(["send 1", "send 1", "close"]);
  });

  it("H17: rejects what was asked once it is abandoned, and sends nothing more", async () => {
    const host = new HeldHost();
    const client = new StoreClient(host, () => ({ wallMs: 0, storeMs: 0 }));
    const asked = [client.ask(leave)];
    await turn();
    asked.push(client.ask(leave));
    const closed = client.close();
    const abandoned = client.abandon();
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
    const client = new StoreClient(host, () => ({ wallMs: 0, storeMs: 0 }));
    const opened = client.open();
    const asked = client.ask(leave);
    await turn();
    expect(host.steps).toEqual([]);
    open(7);
    expect(await opened).toBe(7);
    host.answer();
    expect(await asked).toBe(0);
  });
});
