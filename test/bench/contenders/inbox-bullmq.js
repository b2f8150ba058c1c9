// Express 5 and BullMQ on a Redis that syncs every write (appendfsync always). The event's id is the job's: BullMQ adds no
// second job under it, but does not say so. No workers: jobs wait.
import { Queue } from "bullmq";
import { createExpressInbox, inGroups } from "./inbox-express.js";

export async function create({ way, connections, ...settings }) {
  const queue = new Queue(`orders-${way}`, { connection: connections.redis });
  await queue.waitUntilReady();
  const job = (event) => ({ name: event.type, data: event, opts: { jobId: event.id, attempts: 20 } });
  const ways = {
    each: async (event) => {
      const { name, data, opts } = job(event);
      await queue.add(name, data, opts);
      return true;
    },
    group: inGroups(async (events) => {
      await queue.addBulk(events.map(job));
      return events.map(() => true);
    }),
  };
  const server = createExpressInbox(settings, ways[way]);
  const stored = async () => (await queue.getJobCounts("wait")).wait;
  return { server, stored, close: () => queue.close() };
}
