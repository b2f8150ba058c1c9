import { loadDriver } from "../../src/inbox/sqlite/driver.js";
import type { EventFilter } from "../../src/types/engine.js";

const count = 100_000;

/** Milliseconds since the epoch at which the events are accepted, one a second; the last one is accepted last. */
export const lastAcceptedMs = Date.now();

/** Every filter, and some together. */
export const everyFilter: readonly EventFilter[] = [
  {},
  { receiver: "orders" },
  { receiver: "refunds" },
  { receiver: "nobody" },
  ...(["pending", "done", "dead", "ignored"] as const).flatMap((state) => [
    { state },
    { state, receiver: "refunds" },
    { state, handler: "note" },
    { state, type: "order.3" },
    { state, fromMs: lastAcceptedMs - 50_000_000, beforeMs: lastAcceptedMs - 20_000_000 },
  ]),
  { type: "order.7" },
  { type: "order.7", receiver: "orders" },
  { type: "unheard of" },
  { handler: "ship" },
  { handler: "ship", type: "order.9" },
  { handler: "nobody" },
  { source: "plain" },
  { service: "store" },
  { tenant: "" },
  { idContains: "999" },
  { idContains: "nowhere" },
  { fromMs: lastAcceptedMs - 5_000_000 },
  { beforeMs: lastAcceptedMs - 90_000_000 },
  { fromMs: lastAcceptedMs + 5_000 },
];

/** Numbers from 1 on, as a common table expression. */
const numbers = `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${count})`;

/**
 * Fills the file of an engine with 100,000 events of one task each: nearly all done, some in every other
 * state, some ignored, some purged whose ids are remembered, half of them under one of 250 ordering keys. The first
 * 20,000 are as a running process of version 1 stores them.
 */
export function fillLarge(path: string): void {
  const db = loadDriver()(path, { readOnly: false });
  const now = lastAcceptedMs;
  const accepted = `${now} - (${count} - n) * 1000`;
  db.exec(`PRAGMA synchronous = OFF;
BEGIN;
INSERT INTO hookgate_receivers(receiver, name, backlog) VALUES (1, 'orders', 3000), (2, 'refunds', 0);
INSERT INTO hookgate_scopes(scope, receiver, source, tenant, service) VALUES (1, 1, 'plain', '', 'shop'), (2, 1, 'plain', '', 'store'), (3, 2, 'plain', '', 'shop');
INSERT INTO hookgate_handlers(handler, receiver, name, hold) VALUES (1, 1, 'ship', 0), (2, 1, 'note', 1), (3, 2, 'refund', 0);
INSERT INTO hookgate_consumers(consumer, receiver, beat, lease_ms) VALUES (7, 1, 1, 10000);
${numbers} INSERT INTO hookgate_deliveries SELECT n, ${accepted}, '{}', '{}' FROM c WHERE n > 5000;
${numbers} INSERT INTO hookgate_events(event, delivery, position, scope, id, type, digest, accepted_ms, remember_until, tasks)
  SELECT n, CASE WHEN n > 5000 THEN n ELSE 0 END, 0, 1 + n % 3, 'event ' || n, 'order.' || (n % 20), hex(n), ${accepted}, ${now} + n,
    CASE WHEN n <= 20000 THEN NULL WHEN n % 50 = 0 THEN 0 ELSE 1 END FROM c;
${numbers} INSERT INTO hookgate_tasks(event, handler, state, due, attempts, fence, consumer, started_ms, duration_ms, order_key, error)
  SELECT n, 1 + n % 3,
    CASE WHEN n > 99000 THEN 0 WHEN n > 98000 THEN 1 WHEN n > 97990 THEN 2 WHEN n % 100 = 1 THEN 4 WHEN n % 100 = 2 THEN 5 ELSE 3 END,
    ${now}, 1, 1, CASE WHEN n BETWEEN 97991 AND 98000 THEN 7 END, ${accepted}, 5,
    CASE WHEN n % 2 = 0 THEN 'key ' || n % 500 END, CASE WHEN n % 100 = 1 THEN '{}' END
  FROM c WHERE n > 5000 AND n % 50 <> 0;
${numbers} INSERT INTO hookgate_attempts SELECT n, 1 + n % 3, 1, 1, ${accepted}, 5, 'failed', '{}' FROM c WHERE n > 5000 AND n % 10 = 1;
${numbers} INSERT INTO hookgate_replays SELECT n, ${accepted}, '[]' FROM c WHERE n > 5000 AND n % 100 = 1;
${numbers} INSERT INTO hookgate_tokens SELECT 'token ' || n, n, ${now} + n FROM c WHERE n % 10 = 0;
${numbers} INSERT INTO hookgate_times SELECT (${accepted}) / 600000, min(n), max(n) FROM c WHERE n > 20000 GROUP BY 1
  ON CONFLICT(span) DO UPDATE SET last = excluded.last;
UPDATE hookgate_meta SET value = ${count} WHERE name = 'lastEvent';
COMMIT;`);
  db.close();
}
