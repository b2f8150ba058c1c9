import type { NewDelivery } from "../../contracts/engine.js";
import type { PackedDelivery } from "./protocol.js";

/**
 * Deliveries as they go to the store's thread: all bodies in one piece of memory that is handed over, not copied. A Buffer
 * itself would take along the whole slab that it was cut from.
 */
export function packDeliveries(deliveries: readonly NewDelivery[]): {
  readonly deliveries: readonly PackedDelivery[];
  readonly bytes: ArrayBuffer;
} {
  let length = 0;
  for (const { rawBody } of deliveries) length += rawBody.length;
  const bytes = new ArrayBuffer(length);
  let at = 0;
  const packed = deliveries.map((delivery) => {
    const body = new Uint8Array(bytes, at, delivery.rawBody.length);
    body.set(delivery.rawBody);
    at += body.length;
    return pack(delivery, body);
  });
  return { deliveries: packed, bytes };
}

function pack(delivery: NewDelivery, body: Uint8Array): PackedDelivery {
  const { requestId, method, url, headers, address, caller, bodyKind } = delivery;
  const { receiver, source, tenant, service, receivedAtMs, events, rememberMs, maxBacklog, tokenUse } =
    delivery;
  const head = JSON.stringify({ requestId, method, url, headers, address, caller, bodyKind });
  return {
    ...{ receiver, source, tenant, service, receivedAtMs: Math.floor(receivedAtMs), head, body },
    ...{ events, rememberMs, maxBacklog, tokenUse },
  };
}
