import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { createReceiver } from "hookgate";
import { createFakeClock, createTestSigner, sendDelivery } from "hookgate/testing";

const key = "refusal-counts-0123456789abcdef0123456789abcdef";
const clock = createFakeClock();
const seconds = clock.now() / 1000;

afterEach(() => void jest.restoreAllMocks());

async function scene() {
  const signer = await createTestSigner("HS256");
  const receiver = createReceiver({
    name: "orders",
    clock,
    auth: { serviceKey: key, jwt: { issuer: "orders", ...signer.verification } },
  });
  receiver.on("order.paid", () => {});
  const app = receiver.requestListener("/");
  const exp = seconds + 60;
  const tokens = {
    parts: "three.parts.are.too.few",
    expired: await signer.sign({ iss: "orders", exp: seconds - 60 }),
    "issuer-unknown": await signer.sign({ iss: "somebody", exp }),
    unsigned: `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"iss":"orders"}').toString("base64url")}.`,
    signature: await (await createTestSigner("HS256")).sign({ iss: "orders", exp }),
  };
  return { app, tokens };
}

describe("refused tokens on standard error", () => {
  it("are counted by their cause: one does not hide another, and each count names receiver and cause", async () => {
    const lines: string[] = [];
    jest.spyOn(process.stderr, "write").mockImplementation((chunk) => lines.push(String(chunk)) > 0);
    const { app, tokens } = await scene();
    const names = ["encrypted", "expired", "issuer-unknown", "unsigned", "signature"];
    for (let round = 0; round < 12; round++) {
      for (const token of Object.values(tokens)) await sendDelivery(app, { token, key, body: { type: "a" } });
    }
    const refused = lines.filter((line) => line.includes("refused ERR_TOKEN_INVALID"));
    expect(refused).toHaveLength(50);
    for (const name of names) {
      expect(refused.filter((line) => line.includes(`"fault":"${name}"`))).toHaveLength(10);
    }
    clock.advance("1m");
    for (const name of names) {
      const count = `receiver "orders": 2 more refused with ERR_TOKEN_INVALID (${name}) within a minute`;
      expect(lines.filter((line) => line.includes(count))).toHaveLength(1);
    }
  });

  it("B04 say that the key was not read, where one would have been accepted", async () => {
    const lines: string[] = [];
    jest.spyOn(process.stderr, "write").mockImplementation((chunk) => lines.push(String(chunk)) > 0);
    const { app, tokens } = await scene();
    const answer = await sendDelivery(app, { token: tokens.expired, key, body: { type: "a" } });
    expect(answer.status).toBe(401);
    expect(lines.find((line) => line.includes("has expired"))).toContain(
      "a JWT takes precedence: the key was not read",
    );
    lines.length = 0;
    await sendDelivery(app, { key: "wrong-key-0123456789abcdef0123456789abcdef", body: { type: "a" } });
    expect(lines.join("")).not.toContain("was not read");
  });
});
