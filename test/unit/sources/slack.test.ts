import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { type types, verifySlackRequest } from "@slack/bolt";
import { expectTypeOf } from "expect-type";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import { type SlackEventMap, slack } from "../../../src/sources/slack.js";
import type { SignatureScheme } from "../../../src/types/signature.js";
import type { SourceOutcome } from "../../../src/types/source.js";
import { requestOf, type SentHeaders, wordOf } from "../signatures/signed-request.js";
import { eventsOf, faultOf } from "./cloudevents-request.js";

const secret = "8f742231b10e8888abcd99yyyzzz85a5";
const source = slack({ secret });
const now = 1_531_420_618;
const form = { "content-type": "application/x-www-form-urlencoded" };
const json = { "content-type": "application/json" };

async function check(headers: SentHeaders, body: string | Buffer, options: { at?: number } = {}) {
  const gate = createSignatureGate(source.signature as SignatureScheme, "slack");
  return wordOf(await gate(requestOf(headers, body), (options.at ?? now) * 1_000));
}

function signed(body: string, timestamp: number | string = now): Record<string, string> {
  const mac = createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex");
  return { "X-Slack-Signature": `v0=${mac}`, "X-Slack-Request-Timestamp": String(timestamp) };
}

const mention = {
  token: "XXYYZZ",
  team_id: "T123ABC456",
  api_app_id: "A123ABC456",
  event: { type: "app_mention", user: "U123ABC456", text: "<@U0LAN0Z89> hello", ts: "1515449522.000016" },
  type: "event_callback",
  event_id: "Ev123ABC456",
  event_time: 1_515_449_522,
};

describe("the signature of Slack", () => {
  const url = new URL("../../vectors/provider-signatures.json", import.meta.url);
  const { vectors } = JSON.parse(readFileSync(url, "utf8")) as {
    readonly vectors: readonly {
      readonly provider: string;
      readonly headers: SentHeaders;
      readonly body: string;
    }[];
  };
  const published = vectors.find(({ provider }) => provider === "slack");

  it("is that of the published example", async () => {
    expect(await check(published?.headers as SentHeaders, published?.body as string)).toBe("secret-1");
  });

  it("is what Bolt accepts, and accepts what Bolt does", async () => {
    const body = JSON.stringify(mention);
    const headers = signed(body);
    expect(await check(headers, body)).toBe("secret-1");
    const known = {
      "x-slack-signature": headers["X-Slack-Signature"] as string,
      "x-slack-request-timestamp": now,
    };
    const asked = { signingSecret: secret, body, nowMilliseconds: now * 1_000 };
    expect(() => verifySlackRequest({ ...asked, headers: known })).not.toThrow();
    expect(() => verifySlackRequest({ ...asked, body: `${body} `, headers: known })).toThrow();
  });

  it("is refused where it is missing, doubled, of another version or case, or cut (ATTACKS F01)", async () => {
    const good = signed("{}");
    const value = good["X-Slack-Signature"] as string;
    const { "X-Slack-Signature": _, ...without } = good;
    expect(await check(without, "{}")).toBe("missing");
    expect(await check({ ...good, "X-Slack-Signature": [value, value] }, "{}")).toBe("malformed");
    for (const other of [
      value.slice(3),
      value.replace("v0", "v1"),
      value.slice(0, -1),
      `v0=${value.slice(3).toUpperCase()}`,
    ]) {
      expect(await check({ ...good, "X-Slack-Signature": other }, "{}")).toBe("malformed");
    }
  });

  it("holds for 300 seconds on either side of our clock, and no longer (ATTACKS F02)", async () => {
    for (const [at, word] of [
      [now + 300, "secret-1"],
      [now - 300, "secret-1"],
      [now + 301, "timestamp"],
      [now - 301, "timestamp"],
    ] as const) {
      expect(await check(signed("{}"), "{}", { at })).toBe(word);
    }
    const { "X-Slack-Request-Timestamp": _, ...without } = signed("{}");
    expect(await check(without, "{}")).toBe("missing");
  });

  it("covers every byte of the body and the timestamp (ATTACKS F03)", async () => {
    const headers = signed("{}\r\n");
    expect(await check(headers, "{}")).toBe("mismatch");
    expect(await check({ ...headers, "X-Slack-Request-Timestamp": String(now + 1) }, "{}\r\n")).toBe(
      "mismatch",
    );
  });
});

describe("the events of Slack", () => {
  it("have the event's own type, the id of the envelope, and the envelope as data", () => {
    expect(eventsOf(source, json, JSON.stringify(mention))).toEqual([
      { type: "app_mention", id: "Ev123ABC456", data: mention },
    ]);
  });

  it("are named command.NAME for slash commands", () => {
    const body = "command=%2Fweather&text=94070&trigger_id=13345224609.738474920.8088&user_id=U2147483697";
    expect(eventsOf(source, form, body)).toEqual([
      {
        type: "command.weather",
        id: "13345224609.738474920.8088",
        data: {
          command: "/weather",
          text: "94070",
          trigger_id: "13345224609.738474920.8088",
          user_id: "U2147483697",
        },
      },
    ]);
  });

  it("are named interaction.TYPE for what a form holds as JSON", () => {
    const payload = { type: "block_actions", trigger_id: "12321423423.333649436676.d8", user: { id: "U1" } };
    expect(eventsOf(source, form, `payload=${encodeURIComponent(JSON.stringify(payload))}`)).toEqual([
      { type: "interaction.block_actions", id: "12321423423.333649436676.d8", data: payload },
    ]);
    expect(eventsOf(source, form, "payload=%7B%22type%22%3A%22view_closed%22%7D")).toEqual([
      { type: "interaction.view_closed", id: undefined, data: { type: "view_closed" } },
    ]);
  });

  it("say when Slack held events back", () => {
    const body = { token: "x", type: "app_rate_limited", team_id: "T1", minute_rate_limited: 1_518_467_820 };
    expect(eventsOf(source, json, JSON.stringify(body))).toEqual([{ type: "app_rate_limited", data: body }]);
  });

  it.each([
    ["an event without a type", json, '{"type":"event_callback","event":{}}'],
    [
      "an event that would pass for a command",
      json,
      '{"type":"event_callback","event":{"type":"command.deploy"}}',
    ],
    ["an envelope of another kind", json, '{"type":"app_mention"}'],
    ["a list", json, "[]"],
    ["a form of neither kind", form, "token=x"],
    ["a form with two payloads", form, "payload=%7B%7D&payload=%7B%7D"],
    ["a payload that is no JSON", form, "payload=x"],
    ["a payload that names a member twice (ATTACKS E17)", form, 'payload={"type":"a","type":"b"}'],
    ["an interaction without a type", form, "payload={}"],
    ["a command without a name", form, "command=%2F"],
  ])("are refused for %s", (_, headers, body) => {
    expect(faultOf(source, headers, body)).toEqual(expect.any(String));
  });

  it("are typed by name", () => {
    expectTypeOf<types.SlackEvent["type"]>().toExtend<keyof SlackEventMap>();
    expectTypeOf<SlackEventMap["app_mention"]["event"]["type"]>().toEqualTypeOf<"app_mention">();
    expectTypeOf<SlackEventMap["command.deploy"]["text"]>().toEqualTypeOf<string>();
    expectTypeOf<SlackEventMap["interaction.view_submission"]["type"]>().toEqualTypeOf<"view_submission">();
  });
});

describe("Slack is answered", () => {
  const asked = { method: "POST", url: "/", headers: {} };

  it("with the challenge of url_verification as plain text", () => {
    const challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    expect(
      source.handshake?.({ ...asked, body: { token: "x", challenge, type: "url_verification" } }),
    ).toEqual({
      status: 200,
      headers: { "content-type": "text/plain; charset=utf-8" },
      body: challenge,
    });
  });

  it("as usual where the body is another, or not there yet (ATTACKS E01)", () => {
    for (const body of [undefined, mention, { challenge: "x" }, { type: "url_verification", challenge: 1 }]) {
      expect(source.handshake?.({ ...asked, body })).toBeUndefined();
    }
    expect(source.handshake?.({ ...asked, method: "GET", body: undefined })).toBeUndefined();
  });

  it("without a word when it checks a certificate", () => {
    expect(
      source.handshake?.({ ...asked, method: "GET", url: "/x?ssl_check=1&token=y", body: undefined }),
    ).toEqual({
      status: 200,
    });
    expect(source.handshake?.({ ...asked, body: { ssl_check: "1" } })).toEqual({ status: 200 });
  });

  it("without a body for commands and interactions, as it would be shown to the user", () => {
    const outcome = {
      code: undefined,
      signatureFault: undefined,
      httpStatus: 202,
      requestId: "r",
      bodyKind: "form",
      events: [],
    } satisfies Omit<SourceOutcome, "status">;
    for (const status of ["handled", "accepted", "duplicate", "ignored"] as const) {
      expect(source.answer?.({ ...outcome, status })).toEqual({ status: 200 });
      expect(source.answer?.({ ...outcome, status, bodyKind: "json" })).toBeUndefined();
    }
    expect(source.answer?.({ ...outcome, status: "failed" })).toBeUndefined();
    expect(source.answer?.({ ...outcome, status: "refused", bodyKind: undefined })).toBeUndefined();
  });
});

describe("slack()", () => {
  it.each([
    ["no secret", {}],
    ["an empty one (ATTACKS F07)", { secret: "" }],
    ["a short one", { secret: "x".repeat(23) }],
    ["no tolerance (ATTACKS F02)", { secret, tolerance: "0s" }],
    ["an endless tolerance", { secret, tolerance: Number.POSITIVE_INFINITY }],
    ["an unknown option", { secret, signingSecret: secret }],
  ])("refuses %s", (_, options) => {
    expect(() => slack(options as never)).toThrow(TypeError);
  });

  it("composes what it reads", () => {
    const data = { user: { id: "U1" }, text: "a b&c" };
    for (const type of ["app_mention", "command.deploy", "interaction.block_actions"]) {
      const sent = source.compose?.({ type, id: "Ev1", data, nowMs: now * 1_000 });
      const [event] = eventsOf(source, { "content-type": sent?.contentType as string }, sent?.body as string);
      expect(event).toMatchObject({ type, id: "Ev1" });
    }
    const sent = source.compose?.({ type: "app_mention", id: "Ev2", data: mention, nowMs: 0 });
    expect(eventsOf(source, json, sent?.body as string)).toEqual([
      { type: "app_mention", id: "Ev2", data: { ...mention, event_id: "Ev2" } },
    ]);
    const limited = source.compose?.({ type: "app_rate_limited", id: "x", data: null, nowMs: 60_000 });
    expect(eventsOf(source, json, limited?.body as string)).toEqual([
      { type: "app_rate_limited", data: { type: "app_rate_limited", minute_rate_limited: 60 } },
    ]);
  });
});
