/** Compiled by the type check: what must not compile stands behind `@ts-expect-error`. */
import { describe, expect, it } from "@jest/globals";
import { expectTypeOf } from "expect-type";
import { createReceiver, defineCredentials, type JwtOptions } from "hookgate";
import {
  type WebexConnectCustomEvent,
  webexConnect,
  webexConnectEvents,
  webexConnectServiceJwt,
} from "hookgate/webex-connect";
import { z } from "zod";

const auth = { serviceKey: "types-0123456789abcdef0123456789abcdef" };

describe("webexConnect", () => {
  it("knows nothing of the data unless schemas say it", () => {
    createReceiver({ name: "inbound", source: webexConnect(), auth }).on("inbound", ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<unknown>();
    });
    const events = { inbound: z.object({ phone: z.string() }) };
    createReceiver({ name: "inbound", source: webexConnect(), auth, events }).on("inbound", ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<{ phone: string }>();
    });
    expect(true).toBe(true);
  });

  it("types custom events, whatever their evtid", () => {
    createReceiver({ name: "events", source: webexConnectEvents(), auth }).on("1789", ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<WebexConnectCustomEvent>();
      expectTypeOf(data.parameters.mobile).toEqualTypeOf<unknown>();
    });
  });

  it("refuses options that there are not", () => {
    expect(() => {
      // @ts-expect-error The vendor's answers are called "webex".
      webexConnect({ answers: "vendor" });
    }).toThrow(TypeError);
    expect(() => {
      // @ts-expect-error A signature needs the name of its header.
      webexConnect({ signature: { secret: "types-0123456789abcdef0123456789" } });
    }).toThrow(TypeError);
  });

  it("gives a service's JWT as options of a credential", () => {
    const jwt = webexConnectServiceJwt({
      serviceId: "SID",
      secret: "q83vEjRWeJCrze8SNFZ4kJq83vEjRWeJCrze8SNFZ5A=",
    });
    expectTypeOf(jwt).toExtend<JwtOptions>();
    defineCredentials({ tenants: { acme: { services: { orders: { jwt: [jwt] } } } } }).close();
    createReceiver({ name: "events", source: webexConnectEvents(), auth: { jwt } });
  });
});
