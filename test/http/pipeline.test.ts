/** One list of checks for live requests and for `explain`: what one says, the other does. */
import { describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { sendDelivery } from "hookgate/testing";
import { webexConnectOutbound } from "hookgate/webex-connect-outbound";
import { quiet } from "../support/quiet.js";

/** Node adds nothing to a code; a problem names it below 500. */
interface Decision {
  readonly status: number;
  readonly code: string | undefined;
}

describe("a receiver with an allowlist and a source that answers HEAD", () => {
  const receiver = createReceiver({
    name: "receipts",
    source: webexConnectOutbound({ secret: "a-secret-of-at-least-32-characters-0123" }),
    allowIps: ["203.0.113.0/24"],
    logger: quiet,
  });
  const elsewhere = "192.0.2.1";
  const listener = receiver.requestListener("/");

  it.each(["HEAD", "GET", "OPTIONS", "PUT"])(
    "refuses %s from elsewhere with 403, and explain says so",
    async (method) => {
      const { status } = await sendDelivery(listener, { method }, { remoteAddress: elsewhere });
      const explained: Decision = await receiver.explain({ method, remoteAddress: elsewhere });
      expect(status).toBe(403);
      expect([explained.status, explained.code]).toEqual([403, "ERR_ADDRESS_REFUSED"]);
    },
  );

  it.each([
    ["HEAD", 200, undefined],
    ["GET", 405, "ERR_METHOD"],
    ["OPTIONS", 204, undefined],
    ["PUT", 405, "ERR_METHOD"],
  ])("answers %s from the list with %i, and explain says so", async (method, status, code) => {
    const remoteAddress = "203.0.113.7";
    const answer = await sendDelivery(listener, { method }, { remoteAddress });
    const explained: Decision = await receiver.explain({ method, remoteAddress });
    expect(answer.status).toBe(status);
    expect([explained.status, explained.code]).toEqual([status, code]);
  });
});
