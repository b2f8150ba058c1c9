import { describe, expect, it } from "@jest/globals";
import { type FileChange, FileChangedError } from "../../../../src/inbox/sqlite/file-identity.js";
import { FileHosts, type Host, type Role } from "../../../../src/inbox/sqlite/hosts.js";

import type { Reply } from "../../../../src/inbox/sqlite/protocol.js";

const times = { wallMs: 0, storeMs: 0 };

function scene() {
  const events: string[] = [];
  const notes: string[] = [];
  const state = {
    nowMs: 0,
    answer: (): Promise<readonly Reply[]> => Promise.resolve([{ ok: true, value: 1 }]),
  };
  const makeHost = (role: Role): Host => {
    events.push(`start ${role}`);
    return {
      open: async () => 0,
      send: () => state.answer(),
      close: async () => void events.push(`close ${role}`),
      abandon: async () => void events.push(`abandon ${role}`),
    };
  };
  const hosts = new FileHosts({
    path: "hooks.db",
    makeHost,
    note: (_, message) => void notes.push(message),
    now: () => state.nowMs,
  });
  const changes = (change: FileChange) => (): Promise<readonly Reply[]> =>
    Promise.resolve([{ ok: false, error: new FileChangedError("the log was removed", change) }]);
  const works = (): Promise<readonly Reply[]> => Promise.resolve([{ ok: true, value: 1 }]);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { events, notes, state, hosts, changes, works, turn };
}

describe("the hosts of a file", () => {
  it("are replaced where one has ended, at most once a second", async () => {
    const { events, state, hosts, works } = scene();
    await hosts.writer.open();
    state.answer = () => Promise.reject(new Error("the thread has ended"));
    await expect(hosts.writer.send([], times)).rejects.toThrow("the thread has ended");
    state.answer = works;
    state.nowMs = 999;
    for (let at = 0; at < 3; at++) await expect(hosts.writer.send([], times)).rejects.toThrow("has ended");
    expect(events).toEqual(["start writer"]);
    state.nowMs = 1_000;
    expect(await hosts.writer.send([], times)).toEqual([{ ok: true, value: 1 }]);
    expect(events).toEqual(["start writer", "start writer"]);
  });

  it.each<[FileChange, string[]]>([
    ["checkpoint", ["close reader", "close writer"]],
    ["leave", ["close writer", "close reader"]],
  ])("are all closed before one is opened again: %s", async (change, expected) => {
    const { events, notes, state, hosts, changes, works, turn } = scene();
    await hosts.writer.open();
    await hosts.reader.open();
    state.answer = changes(change);
    const [reply] = await hosts.writer.send([], times);
    expect(reply?.ok).toBe(false);
    await expect(hosts.reader.send([], times)).rejects.toThrow("the log was removed");
    await turn();
    expect(events.slice(2)).toEqual(expected);
    expect(notes).toHaveLength(1);
    state.answer = works;
    await expect(hosts.writer.send([], times)).rejects.toThrow("opened again");
    state.nowMs = 1_000;
    expect((await hosts.writer.send([], times))[0]?.ok).toBe(true);
  });

  it("stay closed where it happens again within a minute, and say so once", async () => {
    const { events, notes, state, hosts, changes, turn } = scene();
    await hosts.writer.open();
    for (const atMs of [0, 59_999]) {
      state.nowMs = atMs;
      state.answer = changes("leave");
      await hosts.writer.send([], times);
      await turn();
    }
    const started = events.length;
    for (const atMs of [61_000, 3_600_000]) {
      state.nowMs = atMs;
      await expect(hosts.writer.send([], times)).rejects.toThrow("restart this process");
    }
    expect(events).toHaveLength(started);
    expect(notes.filter((note) => note.includes("second time within a minute"))).toHaveLength(1);
  });

  it("go on where it happens again after a minute", async () => {
    const { state, hosts, changes, works, turn } = scene();
    await hosts.writer.open();
    for (const atMs of [0, 60_000]) {
      state.nowMs = atMs;
      state.answer = changes("leave");
      await hosts.writer.send([], times);
      await turn();
    }
    state.nowMs = 62_000;
    state.answer = works;
    expect((await hosts.writer.send([], times))[0]?.ok).toBe(true);
  });

  it("try again without an end where something still has the old files open", async () => {
    const { notes, state, hosts, changes, turn } = scene();
    await hosts.writer.open();
    for (let at = 0; at < 5; at++) {
      state.nowMs = at * 1_000;
      state.answer = changes(at === 0 ? "leave" : "stale");
      expect((await hosts.writer.send([], times))[0]?.ok).toBe(false);
      await turn();
    }
    expect(notes).toHaveLength(1);
  });

  it("are closed once, however many messages were in flight when the files changed", async () => {
    const { events, notes, state, hosts, changes, works, turn } = scene();
    await hosts.writer.open();
    let answerLate = (): void => {};
    state.answer = changes("leave");
    const first = hosts.writer.send([], times);
    state.answer = () =>
      new Promise((resolve) => {
        answerLate = () => resolve(changes("leave")());
      });
    const second = hosts.writer.send([], times);
    await first;
    await turn();
    expect(events).toEqual(["start writer"]);
    answerLate();
    await second;
    await turn();
    expect(events).toEqual(["start writer", "close writer"]);
    expect(notes).toHaveLength(1);
    state.answer = works;
    state.nowMs = 1_000;
    expect(await hosts.writer.send([], times)).toEqual([{ ok: true, value: 1 }]);
  });
});
