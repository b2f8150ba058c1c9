import { describe, expect, it } from "@jest/globals";
import { Batcher } from "../../../src/inbox/batching.js";

/** One call of the store, to be answered by the test. */
interface Call {
  readonly items: readonly string[];
  answer(): Promise<void>;
  reject(): Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Without a time limit, as tasks are completed. `held`: the test says when a first batch starts. */
function scene(held = false) {
  const calls: Call[] = [];
  const outcomes: string[] = [];
  let start: (() => void) | undefined;
  let scheduled = 0;
  const batcher = new Batcher<string, string, Error>({
    store: (items) =>
      new Promise((resolve, reject) => {
        calls.push({
          items,
          answer: () => {
            resolve(items.map((item) => `${item} stored`));
            return turn();
          },
          reject: () => {
            reject(new Error("full"));
            return turn();
          },
        });
      }),
    failure: (reason) => new Error(reason),
    ...(held
      ? {
          schedule: (send: () => void) => {
            scheduled++;
            start = send;
          },
        }
      : {}),
  });
  const add = (...items: readonly string[]): void => {
    for (const item of items) {
      batcher.add(item, (outcome) =>
        outcomes.push(outcome instanceof Error ? `${item} ${outcome.message}` : outcome),
      );
    }
  };
  const call = (at: number): Call => {
    const found = calls[at];
    if (found === undefined) throw new Error(`there were ${calls.length} calls`);
    return found;
  };
  return {
    ...{ batcher, add, call, calls, outcomes },
    start: (): void => start?.(),
    scheduled: () => scheduled,
  };
}

describe("a batcher", () => {
  it("with a schedule gathers what comes until its first batch may start, and asks for a start once", () => {
    const { add, start, scheduled, calls } = scene(true);
    add("a", "b");
    expect([calls.length, scheduled()]).toEqual([0, 1]);
    add("c");
    start();
    expect(calls.map(({ items }) => items)).toEqual([["a", "b", "c"]]);
    add("d");
    expect([calls.length, scheduled()]).toEqual([1, 1]);
  });

  it("sends the next batch as soon as the one in flight is answered, without a schedule of its own", async () => {
    const { add, start, scheduled, call, outcomes } = scene(true);
    add("a");
    start();
    add("b", "c");
    await call(0).answer();
    expect(call(1).items).toEqual(["b", "c"]);
    await call(1).answer();
    expect(outcomes).toEqual(["a stored", "b stored", "c stored"]);
    expect(scheduled()).toBe(1);
    add("d");
    expect(scheduled()).toBe(2);
  });

  it("without a time limit waits for a store that hangs, and holds back the next batch", async () => {
    const { add, calls, call, outcomes } = scene();
    add("a", "b");
    await turn();
    expect([calls.length, outcomes]).toEqual([1, []]);
    await call(0).answer();
    expect(call(1).items).toEqual(["b"]);
  });

  it("fails an item alone that the store cannot take", async () => {
    const { add, start, call, calls, outcomes } = scene(true);
    add("a", "bad", "c");
    start();
    await call(0).reject();
    await call(1).answer();
    await call(2).reject();
    await call(3).answer();
    expect(calls.map(({ items }) => items)).toEqual([["a", "bad", "c"], ["a"], ["bad"], ["c"]]);
    expect(outcomes).toEqual(["a stored", "bad rejected", "c stored"]);
  });

  it("fails everything once it is closed, and sends nothing more", async () => {
    const { batcher, add, start, call, calls, outcomes } = scene(true);
    add("a");
    start();
    add("b");
    batcher.close();
    add("c");
    await call(0).answer();
    expect(outcomes).toEqual(["a closed", "b closed", "c closed"]);
    expect(calls).toHaveLength(1);
  });
});
