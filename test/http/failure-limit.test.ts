import { describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver } from "hookgate";
import { createFakeClock, createTestSigner, sendDelivery, type TestDelivery } from "hookgate/testing";
import { quiet } from "../support/quiet.js";

const key = "service-key-of-at-least-32-characters";
const signer = await createTestSigner("HS256");

describe("maxFailuresPerMinute", () => {
  async function setUp() {
    const clock = createFakeClock();
    const receiver = createReceiver({
      name: "orders",
      auth: { serviceKey: key, jwt: { issuer: "orders", ...signer.verification } },
      type: () => "any",
      maxFailuresPerMinute: 3,
      clock,
      logger: quiet,
    });
    receiver.onAny(() => {});
    const app = express().all("/", receiver.middleware());
    const send = (delivery: TestDelivery, remoteAddress: string) =>
      sendDelivery(app, { body: {}, ...delivery }, { remoteAddress });
    const token = await signer.sign({ iss: "orders", exp: clock.now() / 1000 + 600 });
    return { clock, send, token };
  }

  it("C14 answers 429 beyond the budget, for that address, until the minute is over", async () => {
    const { clock, send } = await setUp();
    const guess = async (remoteAddress: string) => (await send({ key: "wrong" }, remoteAddress)).status;
    expect([await guess("192.0.2.1"), await guess("192.0.2.1"), await guess("192.0.2.1")]).toEqual([
      401, 401, 401,
    ]);
    const over = await send({ key: "wrong" }, "192.0.2.1");
    expect([over.status, over.headers["retry-after"], over.headers["www-authenticate"]]).toEqual([
      429,
      "60",
      undefined,
    ]);
    expect(over.json()).toMatchObject({ code: "ERR_TOO_MANY_FAILURES" });
    expect(await guess("192.0.2.2")).toBe(401);
    clock.advance("1m");
    expect(await guess("192.0.2.1")).toBe(401);
  });

  it("C14 never locks out a valid credential", async () => {
    const { send, token } = await setUp();
    for (let i = 0; i < 10; i++)
      await send(i % 2 === 0 ? { key: "wrong" } : { token: "wrong" }, "2001:db8::1");
    expect((await send({ token: "wrong" }, "2001:db8::2")).status).toBe(429);
    expect((await send({ key }, "2001:db8::1")).status).toBe(200);
    expect((await send({ token }, "2001:db8::1")).status).toBe(200);
  });

  it("is off unless asked for, and takes no nonsense", async () => {
    const auth = { serviceKey: key };
    for (const maxFailuresPerMinute of [0, -1, 1.5, Number.NaN, "3", null]) {
      expect(() =>
        createReceiver({ name: "o", auth, maxFailuresPerMinute: maxFailuresPerMinute as number }),
      ).toThrow("createReceiver.maxFailuresPerMinute must be a whole number from 1 to 1000000");
    }
    const app = express().all("/", createReceiver({ name: "o", auth, logger: quiet }).middleware());
    for (let i = 0; i < 20; i++) expect((await sendDelivery(app, { key: "x", body: {} })).status).toBe(401);
  });
});
