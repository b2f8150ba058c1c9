// Bodies as senders of order events send them: nested objects, repeated names, text with escapes, numbers.

/** A JSON order event of about `bytes` bytes. */
export function orderEvent(bytes) {
  const event = {
    id: "evt_01HZX3YV5T8Q4N6W2K7M9R1C0B",
    type: "order.paid",
    createdAt: "2026-01-01T00:00:00.000Z",
    orderId: "A-2026-000017",
    total: 12999,
    currency: "EUR",
    customer: {
      id: "cus_8sd7f",
      name: "Zoë Müller",
      email: "zoe@example.com",
      vip: false,
      tags: ["b2c", "newsletter"],
    },
    items: [],
  };
  for (let n = 0; Buffer.byteLength(JSON.stringify(event)) < bytes; n++) {
    event.items.push({
      sku: `SKU-${String(n).padStart(6, "0")}`,
      title: `Article no. ${n} with a "quoted" name and a fairly usual length`,
      quantity: (n % 5) + 1,
      price: 1999 + n,
      taxRate: 0.19,
      attributes: { colour: n % 2 === 0 ? "blue" : "green", size: "M", gift: n % 7 === 0 },
    });
  }
  return JSON.stringify(event);
}
