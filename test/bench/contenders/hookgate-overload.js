// Ours in front of Express with a handler that takes 20 ms and room for 64 deliveries.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createReceiver, uncheckedTypes } from "../../../dist/index.js";

export function create({ key }) {
  const receiver = createReceiver({
    name: "orders",
    events: uncheckedTypes(),
    auth: { serviceKey: key },
    maxConcurrent: 64,
  });
  receiver.on("order.paid", () => sleep(20));
  return createServer(receiver.requestListener("/hooks/orders"));
}
