import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { InboxEngine, PurgeOptions, Verdict } from "../../../../src/types/engine.js";
import { broken, createScene, db, dead, done, type Scene, tasks } from "./scene.js";

let scene: Scene;
beforeEach(async () => {
  scene = await createScene();
});
afterEach(() => scene.end());

/** The tasks of every event, oldest first: `evt_1 ship dead, audit done`. */
async function state(): Promise<readonly string[]> {
  const { items } = await scene.engine.list({ oldestFirst: true, limit: 1000 });
  return items.map(
    ({ id, tasks: all }) => `${id} ${all.map((one) => `${one.handler} ${one.state}`).join(", ")}`,
  );
}

/** Three events, two of them with a dead letter and a task that is done. */
async function threeEvents(): Promise<void> {
  await scene.accept(
    { id: "a", tasks: tasks("ship", "audit") },
    { id: "b", tasks: tasks("ship", "audit") },
    { id: "c", type: "other", tasks: tasks("audit") },
  );
  await scene.work({ ship: dead, audit: done }, 5);
}

const before = ["a ship dead, audit done", "b ship dead, audit done", "c audit done"];

describe("hookgate events replay", () => {
  beforeEach(threeEvents);

  it("says how many without --yes, how to go on, and changes nothing", async () => {
    const { code, out, err } = await scene.run(`events replay ${db} --type order.paid --states done,dead`);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(
      /^4 tasks would be replayed; nothing was changed\.\n.*done run again, too.*\nAdd --yes/,
    );
    expect(await state()).toEqual(before);
    const dry = await scene.run(`events replay ${db} --type order.paid --dry-run`);
    expect(dry).toMatchObject({ code: 0, err: "2 tasks would be replayed; nothing was changed.\n" });
    expect(await state()).toEqual(before);
  });

  it("H21: replays dead letters alone, however they are chosen: what is done does not run again", async () => {
    expect(await scene.run(`events replay ${db} --type order.paid --yes`)).toMatchObject({
      code: 0,
      out: "",
      err: "2 tasks to replay …\n2 tasks replayed.\n",
    });
    expect(await state()).toEqual([
      "a ship waiting, audit done",
      "b ship waiting, audit done",
      "c audit done",
    ]);
    expect(await scene.run(`events replay a ${db} --yes`)).toMatchObject({
      code: 1,
      err: "Nothing to replay: no selected task is dead.\nTo replay tasks in other states, name them: --states done,dead,dropped\n",
    });
  });

  it("replays what --states names", async () => {
    expect(await scene.run(`events replay ${db} --type order.paid --states done,dead --yes`)).toMatchObject({
      code: 0,
      err: "4 tasks to replay …\n4 tasks replayed.\n",
    });
    expect(await state()).toEqual([
      "a ship waiting, audit waiting",
      "b ship waiting, audit waiting",
      "c audit done",
    ]);
    await scene.run(`events drop a ${db} --yes`);
    expect(await scene.run(`events replay a ${db} --states dropped --handler ship --yes`)).toMatchObject({
      code: 0,
    });
    expect((await state())[0]).toBe("a ship waiting, audit dropped");
  });

  it("replays events with --state dead", async () => {
    expect(await scene.run(`events replay ${db} --state dead --dry-run`)).toMatchObject({
      code: 0,
      err: "2 tasks would be replayed; nothing was changed.\n",
    });
    expect(await scene.run(`events replay ${db} --state dead --yes --json`)).toMatchObject({
      code: 0,
      out: '{\n  "action": "replay",\n  "tasks": 2,\n  "changed": true\n}\n',
    });
  });

  it("replays more dead letters than a page and a commit hold", async () => {
    await scene.accept(
      ...Array.from({ length: 1300 }, (_, index) => ({
        id: `n${index}`,
        tasks: [{ handler: "ship", dead: { name: "Error", message: "no" } }],
      })),
    );
    const { err } = await scene.run(`events replay ${db} --state dead --yes`);
    expect(err).toBe("1,302 tasks to replay …\n1,302 tasks replayed.\n");
    expect(await scene.engine.stats({})).toMatchObject({ dead: 0, waiting: 1302 });
  });

  it("replays events that are named, to one handler", async () => {
    expect(await scene.run(`events replay a ${db} --yes`)).toMatchObject({ code: 0 });
    expect((await state())[0]).toBe("a ship waiting, audit done");
    expect(await scene.run(`events replay b c b ${db} --handler audit --states done --yes`)).toMatchObject({
      code: 0,
      err: "2 tasks to replay …\n2 tasks replayed.\n",
    });
    expect(await state()).toEqual([
      "a ship waiting, audit done",
      "b ship dead, audit waiting",
      "c audit waiting",
    ]);
  });

  it("makes no task for a handler unless told", async () => {
    expect(await scene.run(`events replay ${db} --type other --handler ship --yes`)).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^Nothing to replay/),
    });
    expect(await scene.run(`events replay c ${db} --handler ship --yes`)).toMatchObject({ code: 1 });
    expect(await state()).toEqual(before);
    const told = "--handler ship --new-handler --yes";
    expect(await scene.run(`events replay c ${db} ${told}`)).toMatchObject({ code: 0 });
    expect((await state())[2]).toBe("c ship waiting, audit done");
    // What was dead runs again, what was there already is left alone.
    const all = await scene.run(`events replay ${db} --receiver orders ${told}`);
    expect(all).toMatchObject({ code: 0, err: "2 tasks to replay …\n2 tasks replayed.\n" });
  });

  it("makes no task for a handler that the inbox does not know", async () => {
    const told = "--handler shp --new-handler --yes";
    expect(await scene.run(`events replay c ${db} ${told}`)).toMatchObject({
      code: 1,
      err: 'hookgate: the inbox knows no handler "shp" of "orders"; start the receiver with it once\n',
    });
    expect(await scene.run(`events replay ${db} --receiver orders ${told}`)).toMatchObject({ code: 1 });
    expect(await state()).toEqual(before);
  });

  it("H11: makes no task for a handler that is ordered, and names what does", async () => {
    await scene.accept({ id: "d", tasks: [{ handler: "ledger", orderingKey: "k" }] });
    const { code, err } = await scene.run(`events replay c ${db} --handler ledger --new-handler --yes`);
    expect(code).toBe(1);
    expect(err).toBe(
      'hookgate: handler "ledger" is ordered (orderingKey), and only your code can compute the keys of new tasks: in the app, call receiver.inbox.replay(selection, { handlers: ["ledger"] })\n',
    );
    expect((await state())[2]).toBe("c audit done");
  });

  it("changes nothing where one of the events that are named is not there", async () => {
    expect(await scene.run(`events replay a nobody ${db} --yes`)).toMatchObject({
      code: 1,
      err: 'hookgate: there is no event "nobody"\n',
    });
    expect(await state()).toEqual(before);
  });

  it("says how far it came where the store fails on the way", async () => {
    let calls = 0;
    const engine = wrap(scene.engine, {
      change: async (selection, change) => {
        if (change.dryRun === true) return { changed: 9, next: undefined };
        if (++calls > 1) throw new Error("disk full");
        return { ...(await scene.engine.change(selection, { ...change, limit: 1 })), next: "1" };
      },
    });
    const { code, err } = await scene.run(`events replay ${db} --state dead --yes`, engine);
    expect([code, err]).toEqual([1, "9 tasks to replay …\nhookgate: 1 task replayed, then: disk full\n"]);
  });

  it.each([
    ["", /choose them by a filter; --all takes every event/],
    ["a --type x", /do not go together/],
    ["a --state done", /do not go together/],
    ["a --all", /do not go together/],
    ["--all --type x", /no filter at all/],
    ["--all --yes --dry-run", /--yes and --dry-run/],
    ["a --state dead", /do not go together/],
    ["a --states waiting", /--states of replay are done, dead, dropped, not "waiting"/],
    ["a --new-handler", /goes with replay and --handler/],
    ["a --handler ship --new-handler --states done", /not with --states/],
    ["--type x --handler ship --new-handler", /needs --receiver/],
    ["--handler ship --new-handler", /needs --receiver/],
    ["--state lost", /--state must be/],
  ])("does not take %s", async (words, message) => {
    expect(await scene.run(`events replay ${words} ${db}`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(message),
    });
    expect(await state()).toEqual(before);
  });

  it("does not take a word that a variable of the shell left empty", async () => {
    expect(await scene.run(["events", "replay", "", ...db.split(" "), "--yes"])).toMatchObject({ code: 2 });
  });
});

describe("hookgate events drop", () => {
  it("drops what waits or is dead, once told", async () => {
    await threeEvents();
    await scene.accept({ id: "d", tasks: tasks("ship") });
    expect(await scene.run(`events drop ${db} --handler ship`)).toMatchObject({
      code: 1,
      err: "3 tasks would be dropped; nothing was changed.\nAdd --yes to go on.\n",
    });
    expect(await scene.run(`events drop a ${db} --yes`)).toMatchObject({ code: 0 });
    expect(await state()).toEqual(["a ship dropped, audit done", ...before.slice(1), "d ship waiting"]);
    expect(await scene.run(`events drop ${db} --all --yes`)).toMatchObject({ code: 0 });
    expect(await state()).toEqual([
      "a ship dropped, audit done",
      "b ship dropped, audit done",
      "c audit done",
      "d ship dropped",
    ]);
    expect(await scene.run(`events drop a ${db} --yes`)).toMatchObject({
      code: 1,
      err: "Nothing to drop: no selected task is waiting, retrying, blocked or dead.\n",
    });
    expect(await scene.run(`events drop a ${db} --handler x --new-handler`)).toMatchObject({ code: 2 });
  });
});

describe("hookgate events retry", () => {
  it("makes due now what waits for its next attempt", async () => {
    const later = (): Verdict => ({ outcome: "retry", delayMs: 3_600_000, error: broken });
    await scene.accept({ id: "a", tasks: tasks("ship", "audit") });
    await scene.work({ ship: later, audit: later }, 2);
    expect(await state()).toEqual(["a ship retrying, audit retrying"]);
    expect(await scene.run(`events retry ${db} --all --states waiting`)).toMatchObject({
      code: 0,
      err: "Nothing to retry: no selected task is waiting, and due later.\n",
    });
    expect(await scene.run(`events retry a ${db} --handler ship`)).toMatchObject({
      code: 1,
      err: "1 task would be retried; nothing was changed.\nAdd --yes to go on.\n",
    });
    expect(await scene.run(`events retry a ${db} --handler ship --yes`)).toMatchObject({
      code: 0,
      err: "1 task to retry …\n1 task retried.\n",
    });
    const attempts: number[] = [];
    await scene.work(
      {
        ship: (attempt) => {
          attempts.push(attempt);
          return done();
        },
        audit: done,
      },
      1,
    );
    expect([attempts, await state()]).toEqual([[2], ["a ship done, audit retrying"]]);
    expect(await scene.run(`events retry a ${db} --handler ship --new-handler`)).toMatchObject({ code: 2 });
  });
});

describe("hookgate events purge", () => {
  it("H11: lets those run that a dead letter held which it deletes", async () => {
    const under = { handler: "ledger", orderingKey: "k", onDeadLetter: "block" } as const;
    await scene.accept({ id: "a", tasks: [{ ...under, dead: broken }] }, { id: "b", tasks: [under] });
    scene.clockMs += 1000;
    expect(await state()).toEqual(["a ledger dead", "b ledger blocked"]);
    const { out, err } = await scene.run(`events stats ${db}`);
    expect(out).toMatch(
      /blocked +by dead +dead letters +oldest blocked +oldest by dead\norders +ledger +1 +1 +1 +1 s ago +1 s ago\n/,
    );
    expect(err).toMatch(/^1 task blocked by 1 dead letter \(onDeadLetter: "block"\)/);
    expect(await scene.run(`events purge ${db} --state dead --keep 0`)).toMatchObject({ code: 0 });
    expect(await state()).toEqual(["b ledger waiting"]);
  });

  it("deletes by age, number and state, never what waits", async () => {
    await threeEvents();
    scene.clockMs += 2 * 86_400_000;
    await scene.accept(
      { id: "d", tasks: tasks("audit") },
      { id: "e", tasks: [] },
      { id: "f", tasks: tasks("ship") },
    );
    await scene.work({ audit: done }, 1);
    scene.clockMs += 1000;
    const purge = (options: string) => scene.run(`events purge ${db} ${options}`);
    expect(await purge("--state done --older-than 3d")).toMatchObject({ code: 0, err: "0 events purged.\n" });
    expect(await purge("--state done --older-than 2.5d")).toMatchObject({
      code: 0,
      err: "0 events purged.\n",
    });
    expect(await purge("--state done --older-than 1d")).toMatchObject({ code: 0, err: "1 event purged.\n" });
    expect(await purge("--state dead --keep 1 --json")).toMatchObject({
      code: 0,
      out: '{\n  "purged": 1\n}\n',
    });
    expect((await state()).map((line) => line[0])).toEqual(["b", "d", "e", "f"]);
    await purge("--state done --keep 0");
    expect((await state()).map((line) => line[0])).toEqual(["b", "f"]);
  });

  it("H19: deletes in batches, until nothing is left", async () => {
    await scene.accept(...Array.from({ length: 1100 }, (_, index) => ({ id: `n${index}`, tasks: [] })));
    scene.clockMs += 1000;
    const asked: PurgeOptions[] = [];
    const engine = wrap(scene.engine, {
      purge: async (options) => {
        asked.push(options);
        return scene.engine.purge(options);
      },
    });
    const { err } = await scene.run(`events purge ${db} --state done --keep 0`, engine);
    expect(err).toBe("1,100 events purged.\n");
    expect(asked.length).toBeGreaterThan(2);
    expect(Math.max(...asked.map(({ limit }) => limit))).toBeLessThanOrEqual(1000);
  });

  it("says how far it came where the store fails on the way", async () => {
    let calls = 0;
    const engine = wrap(scene.engine, {
      purge: async ({ limit }) => {
        if (++calls > 2) throw new Error("disk I/O error");
        return limit;
      },
    });
    expect(await scene.run(`events purge ${db} --state done --keep 0`, engine)).toMatchObject({
      code: 1,
      err: "hookgate: 1,000 events purged, then: disk I/O error\n",
    });
  });

  it("passes --trust-clock on, and needs no clock to delete whatever the age", async () => {
    const asked: PurgeOptions[] = [];
    const engine = wrap(scene.engine, {
      purge: async (options) => {
        asked.push(options);
        if (options.trustClock === true) return 0;
        throw Object.assign(new Error("the clock is 40 days ahead"), { code: "ERR_CLOCK_AHEAD" });
      },
    });
    const purge = (options: string) => scene.run(`events purge ${db} --state done ${options}`, engine);
    expect(await purge("--older-than 30d")).toMatchObject({
      code: 1,
      err: "hookgate: the clock is 40 days ahead; if the clock is right, add --trust-clock\n",
    });
    expect(await purge("--older-than 30d --trust-clock")).toMatchObject({ code: 0 });
    expect(await purge("--keep 0")).toMatchObject({ code: 0 });
    expect(asked.map(({ trustClock }) => trustClock)).toEqual([false, true, true]);
  });

  it("says how many events are gone where the clock leaps on the way", async () => {
    let calls = 0;
    const engine = wrap(scene.engine, {
      purge: async ({ limit }) => {
        if (++calls === 1) return limit;
        throw Object.assign(new Error("the clock is 40 days ahead"), { code: "ERR_CLOCK_AHEAD" });
      },
    });
    const { err } = await scene.run(`events purge ${db} --state done --older-than 30d`, engine);
    expect(err).toBe(
      "hookgate: 500 events purged, then: the clock is 40 days ahead; if the clock is right, add --trust-clock\n",
    );
  });

  it.each([
    ["--older-than 30d", /--state is missing/],
    ["--state pending --older-than 30d", /--state must be done or dead.*dropped/],
    ["--state done", /--older-than, --keep or both are needed/],
    ["--state done --older-than 30", /--older-than must be a duration/],
    ["--state done --older-than 0s", /--older-than must be a duration/],
    ["--state done --older-than 36501d", /--older-than must be a duration/],
    ["--state done --keep few", /--keep must be a whole number/],
  ])("does not take %s", async (options, message) => {
    expect(await scene.run(`events purge ${db} ${options}`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(message),
    });
  });
});

/** An engine with some members of its own. */
function wrap(engine: InboxEngine<unknown>, own: Partial<InboxEngine<unknown>>): InboxEngine<unknown> {
  return {
    capabilities: engine.capabilities,
    open: (context) => engine.open(context),
    close: () => engine.close(),
    accept: (deliveries) => engine.accept(deliveries),
    consume: (options) => engine.consume(options),
    list: (query) => engine.list(query),
    get: (recordId) => engine.get(recordId),
    change: (selection, change) => engine.change(selection, change),
    stats: (query) => engine.stats(query),
    purge: (options) => engine.purge(options),
    ...own,
  };
}
