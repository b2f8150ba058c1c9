import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { symlinkSync } from "node:fs";
import { afterEach, describe, expect, it } from "@jest/globals";
import { createReceiver, OptionError, type ReportOf } from "hookgate";
import { createFakeClock, memoryEngine, sendDelivery } from "hookgate/testing";
import { z } from "zod";
import { createInboxScene, key } from "../support/inbox-scene.js";

const scene = createInboxScene();
afterEach(scene.end);

function receiverOf(more: object = {}, types: readonly string[] = ["order.paid"]) {
  const lines: string[] = [];
  const ignored: ReportOf<"ignored">[] = [];
  const line = (level: string) => (_details: object, message: string) =>
    void lines.push(`${level} ${message}`);
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key },
    logger: { debug() {}, info() {}, warn: line("warn"), error: line("error") },
    hooks: { ignored: (report: ReportOf<"ignored">) => void ignored.push(report) },
    ...more,
  } as never);
  for (const type of types) receiver.on(type as never, () => {});
  const app = receiver.requestListener("/");
  const send = (type: string, id = type) => sendDelivery(app, { key, body: { type, id } });
  return { receiver, lines, ignored, send };
}

describe("an event type that nobody registered", () => {
  it("is warned of once, with the near miss, and told to hook and channel each time", async () => {
    const heard: unknown[] = [];
    const hear = (report: unknown): void => void heard.push(report);
    subscribe("hookgate:ignored", hear);
    const { lines, ignored, send } = receiverOf();
    for (const id of ["e1", "e2"]) expect((await send("order.payd", id)).status).toBe(200);
    await send("stock.low");
    await send("order.paid");
    unsubscribe("hookgate:ignored", hear);
    expect(lines).toEqual([
      'warn no handler is registered for the event type "order.payd" (did you mean "order.paid"?); its deliveries are answered 200 and ignored',
      'warn no handler is registered for the event type "stock.low"; its deliveries are answered 200 and ignored',
    ]);
    expect(ignored.map(({ receiver, event, stored }) => [receiver, event.id, event.type, stored])).toEqual([
      ["orders", "e1", "order.payd", false],
      ["orders", "e2", "order.payd", false],
      ["orders", "stock.low", "stock.low", false],
    ]);
    expect(heard).toEqual(ignored);
  });

  it("is told with an inbox, once for an event that is sent again", async () => {
    const { receiver, lines, ignored, send } = receiverOf({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    for (let time = 0; time < 2; time++) await send("order.payd");
    await receiver.close();
    expect(ignored).toEqual([expect.objectContaining({ stored: true })]);
    expect(lines).toEqual([
      expect.stringContaining("its deliveries are answered 202 and kept without tasks"),
    ]);
  });

  it("I08 names at most 1,000 types, however many come", async () => {
    const { lines, send } = receiverOf();
    for (let at = 0; at < 1_005; at++) await send(`invented.${at}.${"x".repeat(50)}`);
    expect(lines).toHaveLength(1_001);
    expect(lines.at(-1)).toBe("warn more than 1,000 event types have no handler; further ones are not named");
  });

  it("I02 is escaped and cut in the log", async () => {
    const { lines, send } = receiverOf({ events: { "order.paid": z.object({}) } });
    await send(`a\n${"x".repeat(100_000)}`, "e1");
    expect(lines[0]).toMatch(/event type "a\\u000ax+… \(100002 characters\)"; its/);
  });

  it.each([
    ["without an inbox", () => ({})],
    ["with an inbox", () => ({ inbox: { engine: memoryEngine() } })],
  ])("is refused with 422 where unknownTypes says so, %s", async (_, more) => {
    const { receiver, lines, ignored, send } = receiverOf({ unknownTypes: "refuse", ...more() });
    await receiver.start();
    const answer = await send("order.payd");
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      422,
      expect.objectContaining({ code: "ERR_EVENT_INVALID" }),
    ]);
    expect((await send("order.paid")).status).toBeLessThan(300);
    const explained = await receiver.explain({
      headers: { key, "content-type": "application/json" },
      body: { type: "order.payd" },
    });
    expect([explained.status, explained.code]).toEqual([422, "ERR_EVENT_INVALID"]);
    await receiver.close();
    expect(ignored).toEqual([]);
    expect(lines).toContainEqual(
      'warn refused ERR_EVENT_INVALID: no handler is registered for the event type "order.payd" (did you mean "order.paid"?)',
    );
  });

  it("takes no other word for unknownTypes", () => {
    expect(() => receiverOf({ unknownTypes: "drop" })).toThrow(
      'unknownTypes must be one of "ignore", "refuse"',
    );
  });
});

describe("a receiver without any handler", () => {
  it("is a finding, which start logs", async () => {
    const { receiver, lines } = receiverOf({ clock: createFakeClock() }, []);
    const finding =
      "no handler is registered: all deliveries are answered 200 and ignored; register one with on()";
    expect(receiver.diagnose()).toContain(finding);
    await receiver.start();
    await receiver.close();
    expect(lines).toContain(`warn ${finding}`);
  });
});

describe("a server that listens before the receiver is started", () => {
  it("H14 is told once that its deliveries are answered 503, and what to do", async () => {
    const { receiver, lines, send } = receiverOf({ inbox: { engine: memoryEngine() } });
    for (let time = 0; time < 3; time++) expect((await send("order.paid")).status).toBe(503);
    const told = lines.filter((line) => line.includes("before the receiver was started"));
    expect(told).toEqual([
      expect.stringMatching(/^error .*await receiver\.start\(\) before the server listens$/),
    ]);
    await receiver.start();
    expect((await send("order.paid")).status).toBe(202);
    await receiver.close();
    expect((await send("order.paid")).status).toBe(503);
    expect(lines.filter((line) => line.includes("before the receiver was started"))).toHaveLength(1);
  });
});

describe("two receivers of one name on one file in one process", () => {
  it.each<[string, (file: string) => string]>([
    ["by the same path", (file) => file],
    [
      "by a link",
      (file) => {
        symlinkSync(file, `${file}.link`);
        return `${file}.link`;
      },
    ],
  ])("are refused at start, %s, until the first is closed", async (_how, other) => {
    const file = scene.file();
    const first = scene.receiver({ engine: scene.engine(file) });
    await first.start();
    const path = other(file);
    const second = scene.receiver({ engine: scene.engine(path) });
    await expect(second.start()).rejects.toThrow(OptionError);
    await expect(second.start()).rejects.toThrow(/another receiver of this process has the name "orders"/);
    await scene.receiver({ engine: scene.engine(path), more: { name: "billing" } }).start();
    await first.close();
    await second.start();
  });

  it("are refused on one engine, too, and not on two in memory", async () => {
    const engine = memoryEngine();
    const first = receiverOf({ inbox: { engine } }).receiver;
    const second = receiverOf({ inbox: { engine } }).receiver;
    await first.start();
    await expect(second.start()).rejects.toThrow("and the same inbox");
    const third = receiverOf({ inbox: { engine: memoryEngine() } }).receiver;
    await third.start();
    await first.close();
    await second.start();
    await Promise.all([second.close(), third.close()]);
  });
});
