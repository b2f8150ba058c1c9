/** What becomes of deliveries when the store fails, hangs or is shut down: never a 2xx without a record. */
import { createServer } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { InboxReceiver } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import type { SqliteTransaction } from "hookgate/sqlite";
import { sendDelivery } from "hookgate/testing";
import { createInboxScene, type InboxScene, key, until } from "../support/inbox-scene.js";

type Engine = InboxEngine<SqliteTransaction>;

let scene: InboxScene;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  scene = createInboxScene();
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await scene.end();
});

/** What happens to an accept. */
type Fault = "none" | "reject" | "reject, stored" | "hang" | "hang, stored";

/** The engine, with a fault for each accept that `faultOf` names one for; the first call is 1. */
function faulty(engine: Engine, faultOf: (call: number) => Fault): Engine {
  let calls = 0;
  return {
    capabilities: engine.capabilities,
    open: (context: Parameters<Engine["open"]>[0]) => engine.open(context),
    close: () => engine.close(),
    consume: (options: Parameters<Engine["consume"]>[0]) => engine.consume(options),
    list: (query: Parameters<Engine["list"]>[0]) => engine.list(query),
    get: (id: string) => engine.get(id),
    change: (...given: Parameters<Engine["change"]>) => engine.change(...given),
    stats: (query: Parameters<Engine["stats"]>[0]) => engine.stats(query),
    purge: (options: Parameters<Engine["purge"]>[0]) => engine.purge(options),
    async accept(deliveries: Parameters<Engine["accept"]>[0]) {
      const fault = faultOf(++calls);
      if (fault === "reject") throw new Error("SQLITE_FULL: database or disk is full");
      if (fault === "hang") return new Promise<never>(() => {});
      const answers = await engine.accept(deliveries);
      if (fault === "reject, stored") throw new Error("the outcome of the commit is unknown");
      if (fault === "hang, stored") return new Promise<never>(() => {});
      return answers;
    },
  };
}

async function idsIn(receiver: InboxReceiver): Promise<Set<string>> {
  const ids = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await receiver.inbox.list({ limit: 1_000, cursor });
    for (const { id } of page.items) ids.add(id);
    cursor = page.next;
  } while (cursor !== undefined);
  return ids;
}

describe("H12 a store that fails at every n-th call", () => {
  const faults: Fault[] = ["reject", "reject, stored", "hang", "hang, stored"];
  const cases = faults.flatMap((fault) => [1, 2, 3].map((every): [Fault, number] => [fault, every]));

  it.each(cases)(
    "%s, every %i: 202 only with a record, 503 otherwise, and senders who repeat lose nothing",
    async (fault, every) => {
      let broken = true;
      const engine = faulty(scene.engine(), (call) => (broken && call % every === 0 ? fault : "none"));
      const receiver = scene.receiver({ engine, inbox: { acceptTimeout: "40ms" } });
      const runs = new Map<string, number>();
      receiver.on("order.paid", ({ id }) => void runs.set(id, (runs.get(id) ?? 0) + 1));
      await receiver.start();
      const ids = Array.from({ length: 40 }, (_, at) => `e${at}`);
      const statuses = new Map<string, number>();
      const sendAll = (): Promise<unknown> =>
        Promise.all(
          ids.map(async (id) => {
            const { status } = await scene.send(receiver, { id, type: "order.paid" });
            if (status !== 200 && status !== 202) expect(status).toBe(503);
            if (statuses.get(id) === undefined || statuses.get(id) === 503) statuses.set(id, status);
          }),
        );
      for (let wave = 0; wave < 3; wave++) await sendAll();
      const stored = await idsIn(receiver);
      for (const [id, status] of statuses) {
        if (status === 200 || status === 202) expect([...stored]).toContain(id);
      }
      expect([...statuses.values()].includes(503) || every > 1).toBe(true);
      // The store is back: the next delivery is taken, without a restart.
      broken = false;
      expect((await scene.send(receiver, { id: "healed", type: "order.paid" })).status).toBe(202);
      await sendAll();
      for (const id of ids) expect([200, 202]).toContain(statuses.get(id));
      await until(() => runs.size === ids.length + 1);
      expect([...runs.values()].every((count) => count === 1)).toBe(true);
    },
  );

  it("says so once, and once that it works again; the sender is not told what failed", async () => {
    let broken = true;
    const engine = faulty(scene.engine(), () => (broken ? "reject" : "none"));
    const receiver = scene.receiver({ engine });
    receiver.on("order.paid", () => {});
    await receiver.start();
    for (const id of ["a", "b", "c"]) {
      const answer = await scene.send(receiver, { id, type: "order.paid" });
      expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "5"]);
      expect(answer.text).not.toMatch(/SQLITE|STORE|disk/);
    }
    broken = false;
    await scene.send(receiver, { id: "d", type: "order.paid" });
    const notes = scene.log.filter((line) => line.includes("the inbox's store"));
    expect(notes.filter((line) => !line.includes("refused ERR_STORE"))).toEqual([
      expect.stringMatching(/^error the inbox's store did not take a delivery/),
      expect.stringMatching(/^warn the inbox's store takes deliveries again/),
    ]);
  });
});

describe("H17 closing under load", () => {
  /** Ten senders, each one delivery after another, until told to stop. Resolves with the ids that were acknowledged. */
  function load(port: number, isOver: () => boolean): Promise<string[]> {
    const acknowledged: string[] = [];
    const sender = async (name: number): Promise<void> => {
      for (let at = 0; !isOver(); at++) {
        const id = `s${name}-${at}`;
        try {
          const { status } = await sendDelivery(`http://127.0.0.1:${port}/`, {
            key,
            body: { id, type: "order.paid" },
          });
          if (status === 202) acknowledged.push(id);
        } catch {
          // The server is gone: nothing was acknowledged.
          return;
        }
      }
    };
    return Promise.all(Array.from({ length: 10 }, (_, name) => sender(name))).then(() => acknowledged);
  }

  async function listen(receiver: InboxReceiver) {
    const server = createServer(receiver.requestListener("/"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const end = async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    ends.push(end);
    return (server.address() as { port: number }).port;
  }

  it("loses nothing that was acknowledged, and the next process runs what was left", async () => {
    const file = scene.file();
    const runs = new Map<string, number>();
    let over = false;
    const first = scene.receiver({ engine: scene.engine(file) });
    first.on(
      "order.paid",
      async ({ id }, { signal }) => {
        // Some never settle; they are aborted at the end of the grace.
        if (id.endsWith("7")) await new Promise((_, reject) => signal.addEventListener("abort", reject));
        runs.set(id, (runs.get(id) ?? 0) + 1);
      },
      { name: "ship" },
    );
    await first.start();
    const sending = load(await listen(first), () => over);
    await until(() => runs.size > 100);
    await first.close({ grace: "300ms" });
    over = true;
    const acknowledged = await sending;
    expect(acknowledged.length).toBeGreaterThan(100);

    const second = scene.receiver({ engine: scene.engine(file) });
    second.on("order.paid", ({ id }) => void runs.set(id, (runs.get(id) ?? 0) + 1), { name: "ship" });
    await second.start();
    await until(async () => (await second.inbox.stats()).waiting === 0);
    expect(acknowledged.filter((id) => !runs.has(id))).toEqual([]);
    expect([...runs].filter(([, count]) => count !== 1)).toEqual([]);
    // What was given back has its attempt back, too.
    const { items } = await second.inbox.list({ limit: 1_000 });
    expect(items.every(({ tasks }) => tasks[0]?.attempts === 1)).toBe(true);
  });
});
