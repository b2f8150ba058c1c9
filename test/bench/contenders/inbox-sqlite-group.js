// Express 5 and a group commit on the main thread: what came with one turn of the event loop shares a commit.
import { createExpressInbox, inGroups } from "./inbox-express.js";
import { openStore } from "./inbox-sqlite.js";

export function create(settings) {
  const store = openStore(settings.folder);
  const add = inGroups(async (events) => store.group(events));
  const server = createExpressInbox(settings, ({ id, type }, rawBody) => add({ id, type, rawBody }));
  return { server, stored: () => store.count(), close: () => store.close() };
}
