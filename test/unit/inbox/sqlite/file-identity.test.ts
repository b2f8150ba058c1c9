import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import {
  changeOf,
  FileIdentity,
  type FileProbe,
  type FileState,
} from "../../../../src/inbox/sqlite/file-identity.js";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-identity-"));
  path = join(folder, "hooks.db");
  writeFileSync(path, "");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Three files that a test changes. */
class Files implements FileProbe {
  readonly states = new Map<string, FileState>();
  salts: (number | undefined)[] = [7];
  type: number | undefined = 0xef53;
  held = true;
  closed = 0;
  /** Makes up a new inode number for each look. */
  moving = false;

  constructor() {
    for (const [at, end] of ["", "-wal", "-shm"].entries()) this.set(end, { ino: BigInt(at + 1) });
  }

  set(end: string, state: Partial<FileState>): void {
    const before = this.states.get(end) ?? { dev: 1n, ino: 1n, size: 100n, mtimeNs: 5n };
    this.states.set(end, { ...before, ...state });
  }

  state(name: string): FileState | undefined {
    const end = /-(wal|shm)$/.exec(name)?.[0] ?? "";
    if (this.moving) this.set(end, { ino: (this.states.get(end)?.ino ?? 0n) + 10n });
    return this.states.get(end);
  }

  salt = (): number | undefined => this.salts[0];
  fileSystem = (): number | undefined => this.type;
  locks = () => ({
    find: (_file: unknown, byte: number) => ({ file: "01:02:3", byte }),
    hold: () => this.held,
    close: () => void this.closed++,
  });
}

const changeIn = (identity: FileIdentity): unknown => {
  try {
    identity.assertKept();
    return "same";
  } catch (error) {
    return changeOf(error);
  }
};

describe("the files of a connection", () => {
  it.each<[string, (files: Files) => unknown, string]>([
    ["are the same", () => {}, "same"],
    ["grow and are written", (files) => files.set("-wal", { size: 900n, mtimeNs: 9n }), "same"],
    ["lose their locks", (files) => (files.held = false), "leave"],
    [
      "lose the log, with nothing moved into the file since",
      (files) => files.states.delete("-wal"),
      "checkpoint",
    ],
    [
      "lose the log, which somebody moved into the file before",
      (files) => [files.states.delete("-wal"), files.set("", { mtimeNs: 6n })],
      "leave",
    ],
    ["have an empty log of another inode", (files) => files.set("-wal", { ino: 9n, size: 0n }), "checkpoint"],
    ["have a log of somebody else's", (files) => files.set("-wal", { ino: 9n }), "leave"],
    ["have another index", (files) => files.set("-shm", { ino: 9n }), "leave"],
    ["lose the index", (files) => files.states.delete("-shm"), "leave"],
    ["lose the file, the log stays", (files) => files.states.delete(""), "checkpoint"],
    ["are on another device", (files) => files.set("", { dev: 2n }), "checkpoint"],
    ["are all replaced", (files) => [files.set("", { ino: 8n }), files.set("-wal", { ino: 9n })], "leave"],
  ])("%s", (_, change, expected) => {
    const files = new Files();
    const identity = new FileIdentity(path, () => {}, files);
    change(files);
    expect(changeIn(identity)).toBe(expected);
    identity.close();
    expect(files.closed).toBe(1);
  });

  it("tells inode numbers apart that a double would make equal", () => {
    const files = new Files();
    files.set("", { ino: 2n ** 60n });
    const identity = new FileIdentity(path, () => {}, files);
    files.set("", { ino: 2n ** 60n + 1n });
    expect(changeIn(identity)).not.toBe("same");
  });

  it("are refused where they are opened with a log or an index that has gone", () => {
    for (const end of ["-wal", "-shm"]) {
      const files = new Files();
      files.states.delete(end);
      let error: unknown;
      try {
        new FileIdentity(path, () => {}, files);
      } catch (thrown) {
        error = thrown;
      }
      expect(changeOf(error)).toBe("stale");
    }
  });
});

describe("a file system that makes up inode numbers", () => {
  function open(prepare: (files: Files) => void = () => {}) {
    const files = new Files();
    prepare(files);
    const notes: string[] = [];
    return { files, notes, identity: new FileIdentity(path, (note) => notes.push(note), files) };
  }

  it("is warned about once, and its new numbers are no change", () => {
    const { files, notes, identity } = open((all) => {
      all.moving = true;
    });
    for (let at = 0; at < 5; at++) expect(changeIn(identity)).toBe("same");
    expect(notes).toEqual([expect.stringContaining("inode numbers")]);
    files.states.delete("-wal");
    files.moving = false;
    expect(changeIn(identity)).not.toBe("same");
  });

  it("is also one of a kind that is known to do so", () => {
    const { files, notes, identity } = open((all) => {
      all.type = 0x65735546;
    });
    files.set("", { ino: 90n });
    expect(changeIn(identity)).toBe("same");
    expect(notes).toHaveLength(1);
  });

  it.each<[string, (files: Files) => unknown, string]>([
    ["a log that began anew after a checkpoint", (files) => (files.salts = [8]), "same"],
    ["a log of somebody else's", (files) => (files.salts = [4_000_000_000]), "changed"],
    ["a log that lost its end", (files) => files.set("-wal", { size: 10n }), "changed"],
    [
      "an empty log after a commit",
      (files) => [files.salts.pop(), files.set("-wal", { size: 0n })],
      "changed",
    ],
  ])("tells by header and size: %s", (_, change, expected) => {
    const { files, identity } = open((all) => {
      all.moving = true;
    });
    expect(changeIn(identity)).toBe("same");
    change(files);
    expect(changeIn(identity) === "same" ? "same" : "changed").toBe(expected);
  });
});
