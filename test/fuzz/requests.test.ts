import { describe, expect, it } from "@jest/globals";
import express from "express";
import fc from "fast-check";
import { createReceiver, type ExplainRequest, type Hooks } from "hookgate";
import { createFakeClock, createTestSigner, sendDelivery } from "hookgate/testing";
import { z } from "zod";
import { quiet } from "../support/quiet.js";
import { mutated } from "./mutate.js";
import { checkAsync } from "./settings.js";

const key = "canary-key-0123456789abcdef0123456789";
const clock = createFakeClock();
const signer = await createTestSigner("HS256");
const seconds = clock.now() / 1000;
const tokens = {
  good: await signer.sign({ iss: "orders", exp: seconds + 60 }),
  old: await signer.sign({ iss: "orders", exp: seconds - 400 }),
  other: await signer.sign({ iss: "someone else", exp: seconds + 60 }),
};
const goodBody = JSON.stringify({
  type: "order.paid",
  id: "e1",
  orderId: "canary-body",
  list: [1, { a: null }],
});

let runs: Buffer[] = [];
let refusals: string[] = [];
const hooks: Hooks = { refused: ({ code, reason }) => refusals.push(`${code} ${reason}`) };
const receiver = createReceiver({
  name: "orders",
  events: { "order.paid": z.looseObject({ orderId: z.string() }), "order.noted": z.looseObject({}) },
  auth: { serviceKey: key, jwt: { issuer: "orders", ...signer.verification } },
  allowIps: ["192.0.2.0/24", "2001:db8::/32"],
  clientAddress: { trustedProxies: ["10.0.0.0/8"] },
  body: { maxBytes: 2000, types: ["json", "form"] },
  clock,
  logger: quiet,
  hooks,
});
receiver.on("order.paid", (_event, { delivery }) => void runs.push(delivery.rawBody));
const app = express();
app.all("/hooks", receiver.middleware());
const doors = { front: receiver.requestListener("/hooks"), Express: app };

/** Nearly always what is good, so that the later steps are reached, too. */
const mostly = <T>(good: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(good) }, other);
/** What Node's client agrees to send, and its parser hands on as it was. */
const asHeader = (text: string): string => text.replace(/[^\x20-\x7e\x80-\xff]/g, "").trim();
const header = (good: string, ...others: string[]) =>
  mostly(
    good,
    fc.oneof(fc.constantFrom(...others), mutated(fc.constantFrom(good, ...others), 2).map(asHeader)),
  );
const lines = (one: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 9, arbitrary: one }, fc.array(one, { minLength: 2, maxLength: 2 }));

const headers = fc
  .record({
    key: mostly<string | undefined>(
      key,
      fc.oneof(header(key, `${key},${key}`, "wrong", tokens.good), fc.constant(undefined)),
    ),
    authorization: mostly<string | readonly string[] | undefined>(
      undefined,
      lines(
        header(
          `Bearer ${tokens.good}`,
          `bearer ${tokens.old}`,
          `Bearer ${tokens.other}`,
          "Basic eDp5",
          "Bearer",
        ),
      ),
    ),
    "content-type": lines(
      header(
        "application/json",
        "application/json; charset=utf-8",
        "application/x-www-form-urlencoded",
        "text/plain",
      ),
    ),
    "content-encoding": mostly<string | undefined>(undefined, header("identity", "gzip")),
    "x-forwarded-for": lines(
      header(
        "192.0.2.7",
        "203.0.113.1, 192.0.2.7",
        "2001:db8::1, 10.0.0.2",
        "10.0.0.1",
        "unknown",
        "192.0.2.7:80",
      ),
    ),
    "x-noise": fc.oneof(fc.constant(undefined), fc.string().map(asHeader)),
  })
  .map(
    (all): Record<string, string | readonly string[]> =>
      Object.fromEntries(
        Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
      ),
  );

const body = mostly(
  goodBody,
  fc.oneof(
    mutated(fc.constant(goodBody), 2),
    fc.constantFrom(
      '{"type":"order.noted"}',
      '{"type":"constructor"}',
      '{"type":"order.paid"}',
      "type=order.paid&orderId=1",
      "",
      " ",
      "[]",
      "null",
    ),
    fc.constantFrom(
      "[".repeat(100),
      `{"type":"order.paid","x":"${"x".repeat(1990)}"}`,
      '{"type":"order.paid","id":"","orderId":""}',
    ),
    fc.json(),
  ),
);
const request = fc.record({
  method: mostly("POST", fc.constantFrom("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "PROPFIND")),
  query: mostly("", fc.constantFrom("?a=b", "?access_token=x", "?x&access%5Ftoken", "?key=k", "?%")),
  peer: mostly(
    "10.0.0.9",
    fc.constantFrom("192.0.2.1", "::ffff:10.1.2.3", "203.0.113.9", "2001:db8::9", "fe80::1%eth0"),
  ),
  headers,
  body,
});

describe("whole requests, fuzzed", () => {
  it.each(["front", "Express"] as const)(
    "I04 answers as explain says, never 5xx, and runs the handler for nothing that explain refuses: %s",
    async (door) => {
      const outcomes = new Map<string, number>();
      await checkAsync(
        700,
        fc.asyncProperty(request, async ({ method, query, peer, headers: sent, body: text }) => {
          runs = [];
          refusals = [];
          const url = `/hooks${query}`;
          const imagined: ExplainRequest = { method, url, headers: sent, remoteAddress: peer, body: text };
          const explained = await receiver.explain(imagined);
          expect([refusals, runs]).toEqual([[], []]);
          const answer = await sendDelivery(
            doors[door],
            { method, path: url, headers: sent, body: text },
            { remoteAddress: peer },
          );
          const code = refusals[0]?.split(" ")[0];
          outcomes.set(code ?? "accepted", (outcomes.get(code ?? "accepted") ?? 0) + 1);
          expect([answer.status, code]).toEqual([explained.status, explained.code]);
          expect(answer.status).toBeLessThan(500);
          const shouldRun = explained.steps.at(-1)?.result === "passed";
          expect(runs.map(String)).toEqual(shouldRun ? [text] : []);
          expect(`${JSON.stringify(explained)} ${answer.text} ${refusals.join()}`).not.toMatch(
            /canary|eyJ\w+\.eyJ/,
          );
        }),
      );
      // Every kind of end was reached, or the grammar has drifted away.
      expect([...outcomes.keys()].sort()).toEqual(expect.arrayContaining(everyEnd));
      expect(outcomes.get("accepted")).toBeGreaterThan(30);
    },
  );
});

const everyEnd = [
  "ERR_ADDRESS_REFUSED",
  "ERR_BODY_MALFORMED",
  "ERR_BODY_TOO_LARGE",
  "ERR_CREDENTIAL_IN_QUERY",
  "ERR_CREDENTIAL_MISSING",
  "ERR_CREDENTIAL_REPEATED",
  "ERR_EVENT_INVALID",
  "ERR_KEY_INVALID",
  "ERR_MEDIA_TYPE",
  "ERR_METHOD",
  "ERR_TOKEN_INVALID",
  "accepted",
];
