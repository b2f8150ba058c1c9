import { describe, expect, it } from "@jest/globals";
import { Refusal } from "../../../src/errors.js";
import { createAcceptor } from "../../../src/inbox/accept.js";
import { createFakeClock } from "../../../src/testing/fake-clock.js";
import type { Acceptance, NewDelivery } from "../../../src/types/engine.js";
import { listen, newDelivery } from "../../support/inbox-parts.js";

const timeoutMs = 5_000;
const megabyte = 1_048_576;

/** One call of the engine's accept, to be answered by the test. */
interface Call {
  readonly ids: readonly string[];
  answer(acceptances?: readonly Acceptance[]): Promise<void>;
  reject(error: Error): Promise<void>;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function idOf(delivery: NewDelivery): string {
  return delivery.events[0]?.id ?? "";
}

function scene() {
  const clock = createFakeClock();
  const told = listen();
  const calls: Call[] = [];
  const outcomes = new Map<string, (Acceptance | Refusal)[]>();
  const acceptor = createAcceptor({
    engine: {
      accept: (deliveries) =>
        new Promise((resolve, reject) => {
          const ids = deliveries.map(idOf);
          calls.push({
            ids,
            answer: (acceptances) => {
              resolve(
                acceptances ??
                  ids.map((id) => ({ status: "stored", recordIds: [`rec_${id}`], positions: [0] })),
              );
              return turn();
            },
            reject: (error) => {
              reject(error);
              return turn();
            },
          });
        }),
    },
    reporter: told.reporter,
    clock,
    timeoutMs,
  });
  const accept = (id: string, changes?: Partial<NewDelivery>): void => {
    outcomes.set(id, []);
    acceptor.add(newDelivery(id, changes), (outcome) => outcomes.get(id)?.push(outcome));
  };
  const call = (at: number): Call => {
    const found = calls[at];
    if (found === undefined) throw new Error(`there were ${calls.length} calls`);
    return found;
  };
  /** The status or code of what was told of a delivery; throws where it was told twice. */
  const outcome = (id: string): string | undefined => {
    const told = outcomes.get(id) ?? [];
    if (told.length > 1) throw new Error(`${id} was told ${told.length} outcomes`);
    const [first] = told;
    return first instanceof Refusal ? first.code : first?.status;
  };
  return { acceptor, clock, ...told, calls, call, accept, outcome, outcomes };
}

describe("the acceptor", () => {
  it("sends the first delivery at once, and those that come meanwhile as one group", async () => {
    const { accept, calls, call, outcome } = scene();
    for (const id of ["a", "b", "c"]) accept(id);
    expect(calls.map(({ ids }) => ids)).toEqual([["a"]]);
    await call(0).answer();
    expect(outcome("a")).toBe("stored");
    expect(outcome("b")).toBeUndefined();
    expect(calls.map(({ ids }) => ids)).toEqual([["a"], ["b", "c"]]);
    await call(1).answer([
      { status: "duplicate", bodyDiffers: false },
      { status: "full", backlog: 3 },
    ]);
    expect([outcome("b"), outcome("c")]).toEqual(["duplicate", "full"]);
  });

  it("sends at most 256 deliveries and 8 MiB in one group, and always one", async () => {
    const { accept, calls, call } = scene();
    accept("first");
    for (let at = 0; at < 300; at++) accept(`small-${at}`);
    await call(0).answer();
    expect(call(1).ids).toHaveLength(256);
    for (let at = 0; at < 5; at++) accept(`big-${at}`, { rawBody: Buffer.alloc(3 * megabyte) });
    accept("huge", { rawBody: Buffer.alloc(9 * megabyte) });
    await call(1).answer();
    expect(call(2).ids).toEqual([
      ...Array.from({ length: 44 }, (_, at) => `small-${256 + at}`),
      "big-0",
      "big-1",
    ]);
    await call(2).answer();
    await call(3).answer();
    await call(4).answer();
    await call(5).answer();
    expect(calls.slice(3).map(({ ids }) => ids)).toEqual([["big-2", "big-3"], ["big-4"], ["huge"]]);
  });

  it("H17 answers all that wait once it gives up, and asks the store for nothing more", async () => {
    const { acceptor, accept, calls, call, outcome } = scene();
    for (const id of ["sent", "a", "b"]) accept(id);
    acceptor.close();
    accept("later");
    for (const id of ["sent", "a", "b", "later"]) expect(outcome(id)).toBe("ERR_STORE_UNAVAILABLE");
    await call(0).answer();
    expect(outcome("sent")).toBe("ERR_STORE_UNAVAILABLE");
    expect(calls).toHaveLength(1);
  });

  it("H12 refuses the whole group that the store rejects, and tries the next one at once", async () => {
    const { accept, call, outcome, outcomes, lines } = scene();
    accept("a");
    accept("b");
    const full = new Error("database or disk is full");
    await call(0).reject(full);
    expect(outcome("a")).toBe("ERR_STORE_UNAVAILABLE");
    expect(outcomes.get("a")).toEqual([expect.objectContaining({ cause: full })]);
    await call(1).reject(full);
    accept("c");
    await call(2).answer();
    expect([outcome("b"), outcome("c")]).toEqual(["ERR_STORE_UNAVAILABLE", "stored"]);
    expect(lines.map((line) => line.split(" ", 1)[0])).toEqual(["error", "warn"]);
    expect(lines[1]).toMatch(/takes deliveries again/);
  });

  it("H12 tries a rejected group one by one, so that what the store cannot take is refused alone", async () => {
    const { accept, calls, call, outcome, lines } = scene();
    for (const id of ["first", "a", "bad", "c"]) accept(id);
    await call(0).answer();
    await call(1).reject(new Error("string or blob too big"));
    accept("later");
    expect(outcome("a")).toBeUndefined();
    await call(2).answer();
    await call(3).reject(new Error("string or blob too big"));
    await call(4).answer();
    await call(5).answer();
    expect(calls.map(({ ids }) => ids)).toEqual([
      ["first"],
      ["a", "bad", "c"],
      ["a"],
      ["bad"],
      ["c"],
      ["later"],
    ]);
    expect(["a", "bad", "c", "later"].map(outcome)).toEqual([
      "stored",
      "ERR_STORE_UNAVAILABLE",
      "stored",
      "stored",
    ]);
    expect(lines.map((line) => line.split(" ", 1)[0])).toEqual(["error", "warn", "error", "warn"]);
  });

  it("H12 refuses a rejected group whole where the store was failing before", async () => {
    const { accept, calls, call, outcome } = scene();
    for (const id of ["a", "b", "c"]) accept(id);
    const full = new Error("database or disk is full");
    await call(0).reject(full);
    await call(1).reject(full);
    expect(["a", "b", "c"].map(outcome)).toEqual(Array(3).fill("ERR_STORE_UNAVAILABLE"));
    expect(calls).toHaveLength(2);
  });

  it("H12 tries no delivery again that had its outcome meanwhile", async () => {
    const { accept, calls, call, clock, outcome } = scene();
    accept("first");
    for (const id of ["a", "b"]) accept(id);
    clock.advance(`${timeoutMs - 1}ms`);
    accept("c");
    await call(0).answer();
    clock.advance("1ms");
    expect(["a", "b"].map(outcome)).toEqual(["ERR_STORE_UNAVAILABLE", "ERR_STORE_UNAVAILABLE"]);
    await call(1).reject(new Error("late"));
    await call(2).answer();
    expect(calls.map(({ ids }) => ids)).toEqual([["first"], ["a", "b", "c"], ["c"]]);
  });

  it.each<[string, unknown]>([
    ["too few answers", []],
    ["no list", "stored"],
  ])("takes %s for a rejection", async (_, answers) => {
    const { accept, call, outcome } = scene();
    accept("a");
    await call(0).answer(answers as Acceptance[]);
    expect(outcome("a")).toBe("ERR_STORE_UNAVAILABLE");
  });

  it("takes an engine that throws for one that rejects", async () => {
    const told = listen();
    const outcomes: unknown[] = [];
    const engine = {
      accept: (): never => {
        throw new Error("closed");
      },
    };
    const acceptor = createAcceptor({ engine, reporter: told.reporter, clock: createFakeClock(), timeoutMs });
    acceptor.add(newDelivery("a"), (outcome) => outcomes.push(outcome));
    await turn();
    expect(outcomes).toEqual([expect.objectContaining({ code: "ERR_STORE_UNAVAILABLE" })]);
  });

  it("answers within its time limit where the store does not, and takes out what was not sent", async () => {
    const { clock, accept, calls, call, outcome, lines } = scene();
    accept("sent");
    clock.advance(`${timeoutMs / 2}ms`);
    accept("waiting");
    clock.advance(`${timeoutMs / 2}ms`);
    expect([outcome("sent"), outcome("waiting")]).toEqual(["ERR_STORE_UNAVAILABLE", undefined]);
    // The group that hangs is given up: what waits is sent in spite of it.
    expect(calls.map(({ ids }) => ids)).toEqual([["sent"], ["waiting"]]);
    accept("later");
    clock.advance(`${timeoutMs / 2}ms`);
    expect(outcome("waiting")).toBe("ERR_STORE_UNAVAILABLE");
    expect(call(2).ids).toEqual(["later"]);
    await call(0).answer();
    expect(outcome("sent")).toBe("ERR_STORE_UNAVAILABLE");
    expect(lines.some((line) => line.startsWith("debug stored after all"))).toBe(true);
    await call(2).answer();
    expect(outcome("later")).toBe("stored");
  });

  it("gives a late rejection no second outcome", async () => {
    const { clock, accept, call, outcome, lines } = scene();
    accept("a");
    clock.advance(`${timeoutMs}ms`);
    await call(0).reject(new Error("gone"));
    expect(outcome("a")).toBe("ERR_STORE_UNAVAILABLE");
    expect(lines.filter((line) => line.startsWith("error"))).toHaveLength(1);
  });

  it("tries a store that swallows everything with single deliveries, and heals with the first answer", async () => {
    const { clock, accept, calls, call, outcome } = scene();
    for (let round = 0; round < 40; round++) {
      for (let at = 0; at < 10; at++) accept(`${round}-${at}`);
      clock.advance(`${timeoutMs / 4}ms`);
    }
    const sizes = calls.map(({ ids }) => ids.length);
    expect(Math.min(...sizes.slice(1, 4))).toBeGreaterThan(1);
    expect(Math.max(...sizes.slice(4))).toBe(1);
    clock.advance(`${timeoutMs}ms`);
    for (let at = 0; at < 10; at++) accept(`back-${at}`);
    const hung = calls.length - 1;
    await call(hung).answer();
    expect(outcome("back-0")).toBe("stored");
    for (let at = 0; at < hung; at++) await call(at).answer();
    for (let at = hung + 1; at < calls.length; at++) await call(at).answer();
    expect(Array.from({ length: 10 }, (_, at) => outcome(`back-${at}`))).toEqual(Array(10).fill("stored"));
  });

  it("leaves no timer behind what has its outcome", async () => {
    const { clock, accept, call } = scene();
    for (const id of ["a", "b", "c"]) accept(id);
    await call(0).answer();
    await call(1).answer();
    expect(clock.pending).toBe(0);
  });

  it("H15 keeps to the time limit when the clock is set back by an hour", () => {
    const clock = createFakeClock();
    let setMs = 0;
    const outcomes: unknown[] = [];
    const acceptor = createAcceptor({
      engine: { accept: () => new Promise(() => {}) },
      reporter: listen().reporter,
      clock: { now: () => clock.now() + setMs, after: clock.after },
      timeoutMs,
    });
    acceptor.add(newDelivery("before"), (outcome) => outcomes.push(outcome));
    clock.advance(`${timeoutMs / 2}ms`);
    setMs = -3_600_000;
    acceptor.add(newDelivery("after"), (outcome) => outcomes.push(outcome));
    clock.advance(`${timeoutMs / 2}ms`);
    expect(outcomes).toHaveLength(1);
    clock.advance(`${timeoutMs / 2}ms`);
    expect(outcomes).toHaveLength(2);
  });
});
