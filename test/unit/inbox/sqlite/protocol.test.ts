import { describe, expect, it } from "@jest/globals";
import type { Claims } from "../../../../src/inbox/polling/task-queue.js";
import type { Reply, Request } from "../../../../src/inbox/sqlite/protocol.js";
import {
  decodeReplies,
  decodeRequests,
  encodeReplies,
  encodeRequests,
} from "../../../../src/inbox/sqlite/protocol.js";

const bytesOf = (text: string): ArrayBuffer => new TextEncoder().encode(text).slice().buffer;

describe("what goes between the threads", () => {
  it("brings requests over in their order, bodies and bound values unchanged", () => {
    const requests: Request[] = [
      { op: "heartbeat", consumer: 7 },
      { op: "accept", deliveries: [], bytes: bytesOf("one\0") },
      {
        op: "complete",
        claim: { event: 1, handler: "h", receiver: "r", fence: 2 },
        statements: [{ sql: "INSERT INTO t VALUES (?, ?)", params: [12n, new Uint8Array([1, 2])] }],
      },
      { op: "accept", deliveries: [], bytes: bytesOf("two") },
    ];
    const message = encodeRequests(requests);
    expect(message.bytes).toHaveLength(2);
    expect(decodeRequests(structuredClone(message))).toEqual(requests);
  });

  it("brings replies over, each claimed task with its own bytes", () => {
    const task = (text: string) => ({ recordId: text, delivery: { rawBody: Buffer.from(text) } });
    const claims = (...texts: string[]) => ({ tasks: texts.map(task), dead: [], nextDueMs: 5 });
    const requests = [
      { op: "claim" },
      { op: "settle" },
      { op: "get" },
      { op: "claim" },
    ] as unknown as Request[];
    const record = { recordId: "rec_1", at: undefined };
    const replies: Reply[] = [
      { ok: true, value: claims("a", "", "bcd") },
      { ok: false, error: Object.assign(new Error("database or disk is full"), { errcode: 13 }) },
      { ok: true, value: record },
      { ok: true, value: claims("\0\uFFFD") },
    ];
    const decoded = decodeReplies(requests, structuredClone(encodeReplies(requests, replies)));
    const bodies = [decoded[0], decoded[3]].map((reply) =>
      reply?.ok === true
        ? (reply.value as Claims).tasks.map(({ delivery }) => delivery.rawBody.toString())
        : undefined,
    );
    expect(bodies).toEqual([["a", "", "bcd"], ["\0\uFFFD"]]);
    expect(decoded[1]).toEqual({
      ok: false,
      error: { message: "database or disk is full", code: 13, ended: false },
    });
    expect(decoded[2]).toEqual({ ok: true, value: record });
  });
});
