/** Compiled by the type check: what must not compile stands behind `@ts-expect-error`. */
import { describe, expect, it } from "@jest/globals";
import { expectTypeOf } from "expect-type";
import { createReceiver } from "hookgate";
import { type WebexMembership, type WebexNotification, type WebexObject, webex } from "hookgate/webex";
import {
  type WebexConnectAttachment,
  type WebexConnectObject,
  type WebexConnectReceipt,
  webexConnectOutbound,
} from "hookgate/webex-connect-outbound";

const secret = "types-0123456789abcdef0123456789";

describe("webexConnectOutbound", () => {
  const receiver = () => createReceiver({ name: "connect", source: webexConnectOutbound({ secret }) });

  it("types receipts by channel and status: all text is there", () => {
    receiver().on("receipt.sms.delivered", ({ type, data }) => {
      expectTypeOf(type).toEqualTypeOf<"receipt.sms.delivered">();
      expectTypeOf(data).toEqualTypeOf<WebexConnectReceipt<"sms">>();
      expectTypeOf(data.destination).toEqualTypeOf<string>();
      expectTypeOf(data.messageCount).toEqualTypeOf<string>();
      // @ts-expect-error An SMS has no WhatsApp id.
      data.waid;
    });
    receiver().on("receipt.push.read", ({ data }) => {
      expectTypeOf(data.interaction).toEqualTypeOf<WebexConnectObject | undefined>();
    });
  });

  it("types messages by channel: text, files, decoded objects", () => {
    receiver().on("message.whatsapp.received", ({ data }) => {
      expectTypeOf(data.message).toEqualTypeOf<string>();
      expectTypeOf(data.attachments).toEqualTypeOf<readonly WebexConnectAttachment[]>();
      expectTypeOf(data.contacts).toEqualTypeOf<readonly WebexConnectObject[]>();
      expectTypeOf(data.location).toEqualTypeOf<WebexConnectObject | undefined>();
      expectTypeOf(data.undecoded).toEqualTypeOf<{ readonly [member: string]: string } | undefined>();
    });
    receiver().on("message.email.received", ({ data }) => {
      expectTypeOf(data.to).toEqualTypeOf<readonly string[]>();
    });
    receiver().on("other", ({ data }) => expectTypeOf(data).toEqualTypeOf<WebexConnectObject>());
  });

  it("types patterns as all of their events, which the type narrows", () => {
    receiver().on("receipt.*", (event) => {
      expectTypeOf(event.data.status).toEqualTypeOf<string>();
      if (event.type === "receipt.whatsapp.read") expectTypeOf(event.data.waid).toEqualTypeOf<string>();
      // @ts-expect-error Not each channel has one.
      else event.data.sentAs;
    });
    receiver().on(["message.sms.*", "message.mms.received"], ({ data }) => {
      expectTypeOf(data.oa).toEqualTypeOf<string>();
    });
    receiver().onAny(({ type }) => {
      expectTypeOf<"message.apple.payment_response">().toExtend<typeof type>();
    });
  });

  it("knows no types that are not documented", () => {
    const typed = (): void => {
      // @ts-expect-error Apple sends no such receipt.
      receiver().on("receipt.apple.delivered", () => {});
      // @ts-expect-error It is `undelivered`.
      receiver().on("receipt.sms.un_delivered", () => {});
      // @ts-expect-error No such channel.
      receiver().on("message.viber.*", () => {});
    };
    expect(typed).toBeInstanceOf(Function);
  });
});

describe("webex", () => {
  const receiver = () => createReceiver({ name: "spaces", source: webex({ secret }) });

  it("types resources × events", () => {
    receiver().on("messages.created", ({ data }) => {
      expectTypeOf(data.resource).toEqualTypeOf<"messages">();
      expectTypeOf(data.data.roomId).toEqualTypeOf<string | undefined>();
      expectTypeOf(data.data.further).toEqualTypeOf<unknown>();
    });
    receiver().on("memberships.*", ({ type, data }) => {
      expectTypeOf<"memberships.migrated">().toExtend<typeof type>();
      expectTypeOf(data.data).toEqualTypeOf<WebexMembership>();
    });
    receiver().on("uc_counters.updated", ({ data }) => {
      expectTypeOf(data.data).toEqualTypeOf<WebexObject>();
      expectTypeOf(data).toExtend<WebexNotification>();
    });
  });

  it("knows no other resources", () => {
    const typed = (): void => {
      // @ts-expect-error Webex calls them rooms.
      receiver().on("spaces.created", () => {});
      // @ts-expect-error No such event.
      receiver().on("messages.read", () => {});
    };
    expect(typed).toBeInstanceOf(Function);
  });
});
