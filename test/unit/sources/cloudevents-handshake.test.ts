import { describe, expect, it } from "@jest/globals";
import { type CloudEventsOptions, cloudEvents } from "../../../src/sources/cloudevents/index.js";
import type { SourceAnswer } from "../../../src/types/source.js";

const ask = (
  options: CloudEventsOptions,
  headers: Readonly<Record<string, string | string[]>>,
  method = "OPTIONS",
): SourceAnswer | undefined =>
  cloudEvents(options).handshake?.({
    method,
    url: "/hook",
    headers: headers as Record<string, string>,
    body: undefined,
  });

const origin = "eventemitter.example.com";
const from = (name: string) => ({ "webhook-request-origin": name });

describe("the OPTIONS handshake of webhooks", () => {
  it("grants a known origin its deliveries, POST and the rate", () => {
    expect(
      ask(
        { allowedOrigins: [origin], ratePerMinute: 100 },
        { ...from(origin), "webhook-request-rate": "120" },
      ),
    ).toEqual({
      status: 200,
      headers: { allow: "POST", "webhook-allowed-origin": origin, "webhook-allowed-rate": "100" },
    });
  });

  it("grants any rate where no bound is set, asked for or not", () => {
    for (const rate of [undefined, "120", "0", "many"]) {
      const headers = rate === undefined ? from(origin) : { ...from(origin), "webhook-request-rate": rate };
      expect(ask({ allowedOrigins: [origin] }, headers)?.headers).toMatchObject({
        "webhook-allowed-rate": "*",
      });
    }
  });

  it("does not tell names apart by the case of letters, and gives the name back as it came", () => {
    expect(
      ask({ allowedOrigins: [origin.toUpperCase()] }, from("EventEmitter.example.COM"))?.headers,
    ).toMatchObject({
      "webhook-allowed-origin": "EventEmitter.example.COM",
    });
  });

  it.each([
    "evil.example.com",
    `evil.${origin}`,
    `${origin}.evil.example`,
    `${origin}.`,
    ` ${origin}`,
    `${origin}, evil.example`,
    `https://${origin}`,
    "*",
    "",
    "__proto__",
  ])("gives the origin %j nothing that reads as consent", (name) => {
    expect(ask({ allowedOrigins: [origin] }, from(name))).toBeUndefined();
  });

  it("grants nobody where no origin is named", () => expect(ask({}, from(origin))).toBeUndefined());

  it("grants everybody who asks, and nobody who does not, by the loud option alone", () => {
    expect(ask({ dangerouslyAllowAnyOrigin: true }, from("any.example"))?.headers).toMatchObject({
      "webhook-allowed-origin": "*",
    });
    expect(ask({ dangerouslyAllowAnyOrigin: true }, {})).toBeUndefined();
  });

  it("answers OPTIONS alone", () => {
    for (const method of ["POST", "GET", "HEAD"]) {
      expect(ask({ allowedOrigins: [origin] }, from(origin), method)).toBeUndefined();
    }
  });

  it("says nothing of the callback that a stranger names", () => {
    const callback = "https://169.254.169.254/confirm";
    const answer = ask(
      { allowedOrigins: [origin] },
      { ...from(origin), "webhook-request-callback": callback },
    );
    expect(JSON.stringify(answer)).not.toContain("169.254");
  });

  it.each([
    ["*"],
    ["https://a.example"],
    ["a.example:443"],
    ["a.example/path"],
    [""],
    ["a..b"],
    ["a, b"],
    [1],
    [undefined],
  ])("refuses %j in allowedOrigins", (name) => {
    const build = (): unknown => cloudEvents({ allowedOrigins: [name as string] });
    expect(build).toThrow(TypeError);
    expect(build).toThrow(name === "*" ? "dangerouslyAllowAnyOrigin" : "allowedOrigins[0]");
  });

  it("refuses a single name without a list", () => {
    expect(() => cloudEvents({ allowedOrigins: origin as unknown as string[] })).toThrow("allowedOrigins");
  });
});
