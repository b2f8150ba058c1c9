// Stores many events with an engine of ours, without a receiver before it: what takes an hour over sockets.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { sqliteEngine } from "../../dist/inbox/sqlite/index.js";
import { orderEvent } from "./payloads.js";

const perCommit = 500;

/** Stores `count` events of `bytes` bytes in the file of `folder`, each with a task for the receiver of inbox-hookgate.js. */
export async function fill(folder, count, bytes) {
  const engine = sqliteEngine(join(folder, "inbox.db"));
  await engine.open({ note: (level, message, details) => console.error(level, message, details) });
  const event = orderEvent(bytes);
  const { id } = JSON.parse(event);
  for (let n = 0; n < count; n += perCommit) {
    const group = Array.from({ length: Math.min(perCommit, count - n) }, (_, k) =>
      delivery(event.replace(id, `evt_filled_${n + k}`), `evt_filled_${n + k}`, count),
    );
    const answers = await engine.accept(group);
    const strange = answers.find(({ status }) => status !== "stored");
    if (strange !== undefined) throw new Error(`filling: ${JSON.stringify(strange)}`);
  }
  await engine.close();
}

export function delivery(body, id, count) {
  return {
    receiver: "orders",
    source: "",
    tenant: "default",
    service: "default",
    events: [
      {
        id,
        type: "order.paid",
        digest: id,
        deduplicateBy: "id-and-body",
        tasks: [{ handler: "order.paid" }],
      },
    ],
    rememberMs: 604_800_000,
    maxBacklog: 2 * count,
    requestId: randomUUID(),
    method: "POST",
    url: "/hooks/orders",
    headers: { "content-type": "application/json", "user-agent": "bench/1" },
    address: "127.0.0.1",
    receivedAtMs: Date.now(),
    caller: { method: "service-key", tenant: "default", service: "default", credentialId: "key-1" },
    bodyKind: "json",
    rawBody: Buffer.from(body),
  };
}
