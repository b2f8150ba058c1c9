// Express 5 and pg-boss 10 on PostgreSQL as it comes: ten connections, a sync with every commit. A job's id must be a UUID,
// so it is made of the event's; a second job under it is not stored. `send` says so, `insert` does not. No workers.
import { createHash } from "node:crypto";
import PgBoss from "pg-boss";
import { createExpressInbox, inGroups } from "./inbox-express.js";

export async function create({ way, connections, ...settings }) {
  // Maintenance and schedules of its own are left out: they would come at any time.
  const boss = new PgBoss({
    ...connections.postgresql,
    schema: `boss_${way}`,
    supervise: false,
    schedule: false,
  });
  boss.on("error", (error) => console.error(String(error)));
  await boss.start();
  const queue = "orders";
  await boss.createQueue(queue);
  const options = (event) => ({ id: uuid(event.id), retryLimit: 20 });
  const ways = {
    each: async (event) => (await boss.send(queue, event, options(event))) !== null,
    group: inGroups(async (events) => {
      await boss.insert(events.map((event) => ({ name: queue, data: event, ...options(event) })));
      return events.map(() => true);
    }),
  };
  const server = createExpressInbox(settings, ways[way]);
  return { server, stored: () => boss.getQueueSize(queue), close: () => boss.stop({ graceful: false }) };
}

function uuid(text) {
  const hex = createHash("sha256").update(text).digest("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, "$1-$2-$3-$4-$5");
}
