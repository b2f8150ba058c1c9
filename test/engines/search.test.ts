/** Events by filter, in a file of 100,000: the pages together are what a comparison of every event finds. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { sqliteEngine } from "hookgate/sqlite";
import { loadDriver, type SqliteDatabase } from "../../src/inbox/sqlite/driver.js";
import type { EventFilter, InboxEngine } from "../../src/types/engine.js";
import { everyFilter, fillLarge } from "./large-file.js";

let folder: string;
let rows: readonly Record<string, string | number>[];
let engine: InboxEngine<never>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-search-"));
  const path = join(folder, "hooks.db");
  engine = sqliteEngine(path, { onCallersThread: true }) as InboxEngine<never>;
  await engine.open({ note: () => undefined });
  fillLarge(path);
  const db = loadDriver()(path, { readOnly: true });
  rows = readAll(db);
  db.close();
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** What each event is, read without any index. */
function readAll(db: SqliteDatabase): Record<string, string | number>[] {
  const tasks = db
    .prepare(`SELECT event, max(state IN (0, 1, 2)) AS open, max(state = 4) AS dead, max(h.name) AS handler
      FROM hookgate_tasks JOIN hookgate_handlers h USING (handler) GROUP BY event`)
    .all() as {
    readonly event: number;
    readonly open: number;
    readonly dead: number;
    readonly handler: string;
  }[];
  const byEvent = new Map(tasks.map((task) => [task.event, task]));
  const events = db
    .prepare(`SELECT e.event, e.id, e.type, e.accepted_ms, r.name AS receiver, s.source, s.tenant, s.service
      FROM hookgate_events e JOIN hookgate_scopes s USING (scope) JOIN hookgate_receivers r USING (receiver)
      WHERE e.delivery <> 0 ORDER BY e.event`)
    .all() as ({ readonly event: number } & Record<string, string | number>)[];
  return events.map((row) => {
    const task = byEvent.get(row.event);
    if (task === undefined) return { ...row, state: "ignored" };
    return { ...row, handler: task.handler, state: task.open ? "pending" : task.dead ? "dead" : "done" };
  });
}

function expected(filter: EventFilter): readonly string[] {
  const { fromMs = 0, beforeMs = Number.POSITIVE_INFINITY, idContains = "", ...equal } = filter;
  return rows
    .filter((row) => Object.entries(equal).every(([name, value]) => row[name] === value))
    .filter((row) => Number(row.accepted_ms) >= fromMs && Number(row.accepted_ms) < beforeMs)
    .filter((row) => String(row.id).includes(idContains))
    .map((row) => `rec_${row.event}`);
}

async function listed(filter: EventFilter, oldestFirst: boolean): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await engine.list({ ...filter, oldestFirst, limit: 600, cursor });
    found.push(...page.items.map(({ recordId }) => recordId));
    cursor = page.next;
    expect(page.items.length === 600 || cursor === undefined).toBe(true);
    // The first pages say enough of what is long.
  } while (cursor !== undefined && found.length < 1_200);
  return found;
}

describe.each(everyFilter.map((filter) => ({ name: JSON.stringify(filter), filter })))(
  "$name",
  ({ filter }) => {
    it.each([true, false])("finds all, and nothing else; oldest first: %s", async (oldestFirst) => {
      const all = expected(filter);
      const found = await listed(filter, oldestFirst);
      const wanted = oldestFirst ? all : [...all].reverse();
      expect(found).toEqual(wanted.slice(0, Math.min(wanted.length, 1_200)));
    });
  },
);
