import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { until } from "../../../support/inbox-scene.js";
import { broken, createScene, db, dead, done, type Scene, tasks } from "./scene.js";

let scene: Scene;
beforeEach(async () => {
  scene = await createScene();
});
afterEach(() => scene.end());

const hostile = "a\u001b[2J\r\nrec_9  fake\u2028\u009b31m\ud800\u0000z";

function lines(text: string): readonly string[] {
  return text.trimEnd().split("\n");
}

describe("hookgate events list", () => {
  it("shows events, newest first, with the state of their tasks and what killed them", async () => {
    await scene.accept({ id: "evt_1", tasks: tasks("ship", "audit") });
    scene.clockMs += 1000;
    await scene.accept({ id: "evt_2", type: "other", tasks: [] });
    await scene.work({ ship: dead, audit: done }, 2);
    const { code, out, err } = await scene.run(`events list ${db}`);
    expect([code, err]).toEqual([0, ""]);
    const [head, first, second] = lines(out);
    expect(head).toMatch(/^record +id +type +state +accepted +tasks +error$/);
    expect(first).toMatch(/^rec_\S+ +evt_2 +other +ignored +2026-03-01T12:00:01.000Z +- +-$/);
    expect(second).toMatch(
      /^rec_\S+ +evt_1 +order.paid +dead +2026-03-01T12:00:00.000Z +ship dead 1×, audit done +TypeError E_NET: fetch failed$/,
    );
  });

  it("takes every filter to the store", async () => {
    await scene.accept({ id: "old" });
    scene.clockMs += 10 * 3_600_000;
    await scene.accept(
      { id: "new" },
      { id: "typed", type: "order.refunded" },
      { id: "serviced", service: "billing" },
      { id: "received", receiver: "other" },
      { id: "handled", tasks: tasks("audit") },
      { id: "ignored", tasks: [] },
    );
    const found = async (options: string): Promise<string> => {
      const { code, out, err } = await scene.run(`events list ${db} --json ${options}`);
      expect([code, err]).toEqual([0, ""]);
      return (JSON.parse(out) as { items: { id: string }[] }).items
        .map(({ id }) => id)
        .sort()
        .join();
    };
    expect(await found("--type order.refunded")).toBe("typed");
    expect(await found("--service billing")).toBe("serviced");
    expect(await found("--receiver other")).toBe("received");
    expect(await found("--handler audit")).toBe("handled");
    expect(await found("--state ignored")).toBe("ignored");
    expect(await found("--id-contains ervi")).toBe("serviced");
    expect(await found("--until 2h")).toBe("old");
    expect(await found("--since 2h --type order.paid --service orders")).toBe("handled,ignored,new,received");
    expect(await found("--until 2026-03-01T13:00:00+01:00")).toBe("");
    expect(await found("--until 2026-03-01T13:00:01+01:00")).toBe("old");
    expect(await found("--tenant nobody")).toBe("");
    expect(await found("--source nothing")).toBe("");
  });

  it("goes on where the page before ended", async () => {
    await scene.accept(...["a", "b", "c"].map((id) => ({ id })));
    const seen: string[] = [];
    let more = "--oldest-first --limit 2";
    for (let page = 0; page < 2; page++) {
      const { out, err } = await scene.run(["events", "list", ...db.split(" "), ...more.split(" ")]);
      seen.push(...lines(out).slice(1));
      const cursor = /add --cursor '(.+)'/.exec(err)?.[1];
      expect(cursor === undefined).toBe(page === 1);
      more = `--oldest-first --limit 2 --cursor ${cursor}`;
    }
    expect(seen.map((line) => line.split(/ +/)[1])).toEqual(["a", "b", "c"]);
  });

  it("says so where nothing matches", async () => {
    expect(await scene.run(`events list ${db}`)).toMatchObject({
      code: 0,
      out: "",
      err: "No event matches.\n",
    });
  });

  it.each([
    ["--state lost", /--state must be one of pending, done, dead, ignored, not "lost"/],
    ["--since yesterday", /--since must be a duration before now/],
    ["--since 2026-02-31", /--since must be/],
    ["--since 2026-03-01T10:00", /with its zone/],
    ["--since 1h --until 2h", /must lie before/],
    ["--limit 0", /--limit must be a whole number from 1 to 1000/],
    ["--limit 1001", /1000/],
    ["--limit ten", /"ten"/],
    ["--limt 10", /did you mean --limit\?/],
    ["rec_1", /"rec_1" is not expected here/],
  ])("does not take %s", async (options, message) => {
    expect(await scene.run(`events list ${db} ${options}`)).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringMatching(message),
    });
  });

  it("I02: prints nothing that a terminal obeys, in a table, in JSON and in what it refuses", async () => {
    await scene.accept({
      id: hostile,
      type: hostile,
      headers: { "user-agent": hostile },
      body: `{"a":"${hostile}"}`,
      tasks: [
        {
          handler: hostile,
          orderingKey: hostile,
          dead: { name: hostile, message: hostile, issues: [hostile] },
        },
      ],
    });
    const [record] = (await scene.engine.list({})).items;
    const printed = await Promise.all(
      [
        ["list"],
        ["list", "--json"],
        ["show", record?.recordId ?? ""],
        ["show", record?.recordId ?? "", "--json"],
        ["stats"],
        ["stats", "--json"],
        ["show", `no${hostile}`],
        ["list", "--state", hostile],
        [hostile],
      ].map((words) => scene.run(["events", ...words, ...db.split(" ")])),
    );
    for (const { out, err } of printed) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there.
      expect(`${out}${err}`).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\ud800-\udfff]/);
    }
    expect(lines(printed[0]?.out ?? "")).toHaveLength(2);
    const read = JSON.parse(printed[1]?.out ?? "") as { items: { id: string }[] };
    expect(read.items[0]?.id).toBe(hostile);
  });
});

describe("hookgate events show", () => {
  it("shows the delivery, the tasks with their attempts, and the replays", async () => {
    await scene.accept({ id: "evt_1", tasks: tasks("ship", "audit") });
    await scene.work({ ship: dead, audit: done }, 2);
    scene.clockMs += 5000;
    const replayed = await scene.run(`events replay evt_1 ${db} --handler ship --yes`);
    expect(replayed).toMatchObject({ code: 0 });
    const { code, out } = await scene.run(`events show evt_1 ${db}`);
    expect(code).toBe(0);
    expect(out).toMatch(/^record +rec_\S+\nid +evt_1\ntype +order.paid\nstate +pending\n/);
    expect(out).toMatch(/\nrequest +POST \/hooks\/orders\?token&b\n/);
    expect(out).toMatch(/\ncaller +service-key "key-1" of acme\/orders\n/);
    expect(out).toMatch(/\nheaders\n {2}content-type: application\/json\n/);
    expect(out).toMatch(/\nbody \(json, 14 bytes\)\n {2}\{"id":"evt_1"\}\n/);
    expect(out).toMatch(/\ntask ship: waiting, 0 attempts, due now\n/);
    expect(out).toMatch(/\n {2}1 +2026-03-01T12:00:00.000Z +\S+ ms +failed +TypeError E_NET: fetch failed\n/);
    expect(out).toMatch(/\ntask audit: done, 1 attempt\n/);
    expect(out).toMatch(/\nreplays\n {2}2026-03-01T12:00:05.000Z {2}ship\n$/);
  });

  it("shows no value of the query, which earlier versions stored", async () => {
    await scene.accept({ id: "evt_1" });
    for (const more of ["", " --json"]) {
      const { out } = await scene.run(`events show evt_1 ${db}${more}`);
      expect(out).toContain("/hooks/orders?token&b");
      expect(out).not.toContain("canary");
    }
  });

  it("shows the stack of the last error, and what caused it", async () => {
    const cause = {
      name: "Error",
      code: 7,
      message: "no route",
      stack: "Error: no route\n    at connect (net.js:1:1)",
    };
    const error = { ...broken, stack: "TypeError: fetch failed\n    at ship (app\u009b.js:3:9)", cause };
    await scene.accept({ id: "evt_1" });
    await scene.work({ ship: () => ({ outcome: "dead", error }) }, 1);
    const { out } = await scene.run(`events show evt_1 ${db}`);
    expect(out).toContain(
      [
        "  TypeError E_NET: fetch failed",
        "    at ship (app\\u009b.js:3:9)",
        "  caused by Error 7: no route",
        "    at connect (net.js:1:1)",
        "",
      ].join("\n"),
    );
  });

  it("shows where data broke its schema", async () => {
    const error = { ...broken, issues: ["total: expected a number", "orderId: is missing"] };
    await scene.accept({ tasks: [{ handler: "ship", dead: error }] });
    const { out } = await scene.run(`events show evt_1 ${db}`);
    expect(out).toMatch(
      /task ship: dead, 0 attempts\n {2}TypeError E_NET: fetch failed\n {2}- total: expected a number\n {2}- orderId: is missing\n/,
    );
  });

  it("gives the bytes of the body alone, as they came", async () => {
    const body = Buffer.from([0, 255, 10, 13, 27, 0xc3, 0x28]);
    await scene.accept({ body });
    const { code, bytes, err } = await scene.run(`events show evt_1 ${db} --body`);
    expect([code, err, bytes.equals(body)]).toEqual([0, "", true]);
    const { out } = await scene.run(`events show evt_1 ${db} --json`);
    const { delivery } = JSON.parse(out) as { delivery: { bodyBase64: string } };
    expect(Buffer.from(delivery.bodyBase64, "base64").equals(body)).toBe(true);
  });

  it("lists the events where several have the id, and takes one by its record", async () => {
    await scene.accept({ id: "same" }, { id: "same", service: "billing" }, { id: "not the same" });
    const { code, out, err } = await scene.run(`events show same ${db}`);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/hookgate: 2 events have the id "same"; name one by its record/);
    const records = [...err.matchAll(/^(rec_\S+) +same/gm)].map(([, record]) => record);
    expect(records).toHaveLength(2);
    expect(await scene.run(`events show ${records[0]} ${db}`)).toMatchObject({ code: 0 });
  });

  it("takes a record before an id that a sender has made alike", async () => {
    await scene.accept({ id: "first" });
    const [first] = (await scene.engine.list({})).items;
    await scene.accept({ id: first?.recordId ?? "" });
    const { out } = await scene.run(`events show ${first?.recordId} ${db}`);
    expect(out).toMatch(/\nid +first\n/);
  });

  it("takes an id that begins with a dash, behind --", async () => {
    await scene.accept({ id: "-x" });
    expect(await scene.run(`events show ${db} -- -x`)).toMatchObject({ code: 0 });
  });

  it("says so where there is none, and what it takes", async () => {
    expect(await scene.run(`events show rec_99 ${db}`)).toMatchObject({
      code: 1,
      err: 'hookgate: there is no event "rec_99"\n',
    });
    for (const words of ["", "a b", "a --body --json"]) {
      expect(await scene.run(`events show ${words} ${db}`)).toMatchObject({ code: 2, out: "" });
    }
  });
});

describe("hookgate events stats", () => {
  it("shows what waits, runs and is dead, what came through, and every handler", async () => {
    await scene.accept({ id: "a", tasks: tasks("ship", "audit") }, { id: "b", tasks: tasks("ship") });
    await scene.work({ ship: dead }, 2);
    const { code, out } = await scene.run(`events stats ${db}`);
    expect(code).toBe(0);
    expect(out).toMatch(/^waiting +running +dead +oldest due\n1 +0 +2 +\S+ \S+ ago\n/);
    expect(out).toMatch(/\naccepted +2 +\d/);
    expect(out).toMatch(/\norders +audit +1 +0 +0\n/);
    expect(out).toMatch(/\norders +ship +0 +0 +2\n/);
    const json = await scene.run(`events stats ${db} --receiver other --json`);
    expect(JSON.parse(json.out)).toMatchObject({ waiting: 0, dead: 0 });
  });

  it("lists who runs tasks, with the age of the last heartbeat", async () => {
    expect((await scene.run(`events stats ${db}`)).out).toMatch(/\nno process runs tasks\n$/);
    const consumer = scene.engine.consume({
      receiver: "orders",
      handlers: new Map([["ship", { concurrency: 1, maxAttempts: 1, onDeadLetter: "continue" }]]),
      leaseMs: 60_000,
      run: async () => ({ outcome: "done" }),
      settled: () => {},
    });
    await until(async () => (await scene.engine.stats({})).consumers.length === 1);
    scene.clockMs += 125_000;
    const { out } = await scene.run(`events stats ${db}`);
    expect(out).toMatch(
      /\nreceiver +consumer +running +heartbeat +lease\norders +con_\w+ +0 +2 min 5 s ago +1 min\n$/,
    );
    await consumer.stop();
  });
});

describe("hookgate events, whatever the command", () => {
  const commands = ["list", "show x", "stats", "replay x", "drop x", "purge --state done --keep 1"];

  it.each(commands)("%s: makes no file where there is none", async (command) => {
    rmSync(join(scene.folder, "hooks.db"));
    expect(await scene.run(`events ${command} ${db}`)).toMatchObject({
      code: 1,
      err: 'hookgate: there is no file "hooks.db"; nothing was made\n',
    });
    expect(await scene.run(`events ${command} --db .`)).toMatchObject({ code: 1 });
    writeFileSync(join(scene.folder, "hooks.db"), "");
    expect(await scene.run(`events ${command} ${db}`)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/is empty: there is no inbox in it/),
    });
    expect(await scene.run(`events ${command}`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--db is missing/),
    });
  });

  it.each(commands)("%s: a store that fails is one line, and is closed", async (command) => {
    const fail = async (): Promise<never> => {
      throw new Error("disk I/O\nerror\u001b[2J");
    };
    const open = { count: 0 };
    const failing = {
      ...{ capabilities: scene.engine.capabilities, accept: fail, consume: () => ({ stop: fail }) },
      ...{ list: fail, get: fail, change: fail, stats: fail, purge: fail },
      open: async () => void open.count++,
      close: async () => void open.count--,
    };
    const { code, out, err } = await scene.run(`events ${command} ${db}`, failing);
    expect([code, out, err, open.count]).toEqual([
      1,
      "",
      "hookgate: hooks.db: disk I/O error\\u001b[2J\n",
      0,
    ]);
  });

  it("knows its commands and says more of each", async () => {
    expect(await scene.run("events")).toMatchObject({ code: 2, err: expect.stringMatching(/"events list"/) });
    expect(await scene.run("events lst")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/did you mean "events list"\?/),
    });
    expect((await scene.run("events --help")).out).toMatch(/^Usage: hookgate events list\|/);
    for (const command of commands) {
      const name = command.split(" ")[0];
      expect((await scene.run(`events ${name} --help`)).out).toMatch(
        new RegExp(`^Usage: hookgate events ${name} `),
      );
    }
  });

  it("passes on what the store has to say", async () => {
    const engine = scene.engine;
    const talking = {
      ...{ capabilities: engine.capabilities, accept: engine.accept, consume: engine.consume },
      ...{ change: engine.change, purge: engine.purge, get: engine.get, close: async () => {} },
      list: async () => ({ items: [], next: undefined }),
      stats: engine.stats,
      open: async ({ note }: Parameters<typeof engine.open>[0]) => note("warn", "a network\nfile system", {}),
    };
    const { err } = await scene.run(`events list ${db}`, talking);
    expect(err).toMatch(/^hookgate: warn: a network file system\n/);
  });
});
