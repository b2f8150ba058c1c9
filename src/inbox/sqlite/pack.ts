import type { NewDelivery } from "../../types/engine.js";
import type { AcceptRequest, PackedDelivery } from "./protocol.js";

/**
 * Deliveries as they go to the store's thread: all bodies in one piece of memory that is handed over, not copied. A Buffer
 * itself would take along the whole slab that it was cut from.
 */
export function packDeliveries(deliveries: readonly NewDelivery[]): AcceptRequest {
  let length = 0;
  for (const { rawBody } of deliveries) length += rawBody.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const { rawBody } of deliveries) {
    bytes.set(rawBody, at);
    at += rawBody.length;
  }
  return { op: "accept", deliveries: deliveries.map(pack), bytes: bytes.buffer };
}

function pack(delivery: NewDelivery): PackedDelivery {
  const { requestId, method, url, headers, address, caller, bodyKind } = delivery;
  return {
    receiver: delivery.receiver,
    source: delivery.source,
    tenant: delivery.tenant,
    service: delivery.service,
    receivedAtMs: Math.floor(delivery.receivedAtMs),
    head: JSON.stringify({ requestId, method, url, headers, address, caller, bodyKind }),
    bodyLength: delivery.rawBody.length,
    events: delivery.events,
    rememberMs: delivery.rememberMs,
    maxBacklog: delivery.maxBacklog,
    tokenUse: delivery.tokenUse,
  };
}
