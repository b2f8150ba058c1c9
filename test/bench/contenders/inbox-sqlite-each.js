// Express 5 and one insert per request, each a commit with its sync, on the main thread.
import { createExpressInbox } from "./inbox-express.js";
import { openStore } from "./inbox-sqlite.js";

export function create(settings) {
  const store = openStore(settings.folder);
  const server = createExpressInbox(settings, async ({ id, type }, rawBody) =>
    store.insert({ id, type, rawBody }),
  );
  return { server, stored: () => store.count(), close: () => store.close() };
}
