// Deliveries with ids of their own, as bytes for a socket.
import { orderEvent } from "./payloads.js";
import { settings } from "./settings.js";

const digits = 12;

/** Gives `next()`, each time with an id never sent before, and `last()`, the same bytes once more. */
export function freshDeliveries(bytes) {
  const event = orderEvent(bytes);
  const { id } = JSON.parse(event);
  const run = Math.random().toString(36).slice(2, 8).padEnd(6, "0");
  const mark = "#".repeat(digits);
  const body = event.replace(id, `evt_${run}_${mark}`);
  const head = [
    "POST /hooks/orders HTTP/1.1",
    "Host: bench.test",
    "User-Agent: bench/1",
    "Accept: */*",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `key: ${settings.key}`,
  ];
  const template = Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
  const at = template.indexOf(mark);
  let count = 0;
  let last;
  return {
    next() {
      last = Buffer.from(template);
      last.write(String(count++).padStart(digits, "0"), at, "latin1");
      return last;
    },
    last: () => last,
  };
}
