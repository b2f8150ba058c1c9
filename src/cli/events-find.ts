import { printable } from "../lib/printable.js";
import type { EventRecord } from "../types/engine.js";
import { type CommandIo, refused } from "./command.js";
import { recordTable } from "./events-list.js";
import { recordsOf } from "./events-plan.js";
import type { Store } from "./events-store.js";

/** As many events under one id of a sender as are shown. */
const shownMatches = 20;

/**
 * The event that a word names: a record id, else the id that the sender gave it. Where several receivers, sources,
 * tenants or services know that id it prints them; CommandFailure 1 there, and where there is none.
 */
export async function findRecord(store: Store, word: string, io: CommandIo): Promise<EventRecord> {
  // The store's names come first: a sender may call its event "rec_42", and must not hide another behind that.
  const named = await store.get(word);
  if (named !== undefined) return named;
  const matches = await matchesOf(store, word);
  const [only] = matches;
  if (only === undefined) throw refused(`there is no event "${printable(word)}"`);
  if (matches.length > 1) {
    io.stderr(recordTable(matches.slice(0, shownMatches)));
    const more = matches.length > shownMatches ? `more than ${shownMatches}` : String(matches.length);
    throw refused(`${more} events have the id "${printable(word)}"; name one by its record`);
  }
  const record = await store.get(only.recordId);
  if (record === undefined) throw refused(`the event "${printable(word)}" is gone: it was purged just now`);
  return record;
}

/** Newest first; one more than is shown at most. */
async function matchesOf(store: Store, id: string): Promise<readonly EventRecord[]> {
  const found: EventRecord[] = [];
  for await (const record of recordsOf(store, { idContains: id })) {
    if (record.id === id) found.push(record);
    if (found.length > shownMatches) break;
  }
  return found;
}
