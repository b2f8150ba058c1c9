import type {
  MemberTable,
  messageCommon,
  messageMembers,
  receiptCommon,
  receiptMembers,
} from "./webex-connect-outbound-members.js";

/** An object that a channel's provider fills: its members are not checked. */
export interface WebexConnectObject {
  readonly [member: string]: unknown;
}

/** A file that came with a message. Empty where the channel does not say. */
export interface WebexConnectAttachment {
  /** Where it can be fetched, often for a short time only. Email may carry the file itself, in `details.content`. */
  readonly url: string;
  readonly mimeType: string;
  readonly name: string;
  /** All that the channel said of it. */
  readonly details: WebexConnectObject;
}

/** The receipts that the documentation names for each channel, by the last part of their type. */
export interface WebexConnectReceiptStatuses {
  sms: "submitted" | "delivered" | "undelivered" | "failed" | "clicked";
  whatsapp: "submitted" | "delivered" | "read" | "failed";
  rcs: "submitted" | "delivered" | "read" | "failed";
  mms: "submitted" | "delivered" | "failed";
  messenger: "submitted" | "delivered" | "read" | "failed";
  instagram: "submitted" | "read" | "failed";
  in_app: "submitted" | "delivered" | "read" | "failed" | "clicked";
  push: "submitted" | "delivered" | "read" | "failed";
  email:
    | "submitted"
    | "delivered"
    | "read"
    | "clicked"
    | "bounced"
    | "complaint"
    | "invalid"
    | "not_verified"
    | "failed";
  apple: "submitted" | "failed";
  voice:
    | "offered"
    | "accepted"
    | "answered"
    | "dropped"
    | "rejected"
    | "released"
    | "disconnected"
    | "trombone_connected"
    | "trombone_released"
    | "failed";
}

/** The incoming messages and events that the documentation names for each channel, by the last part of their type. */
export interface WebexConnectMessageEvents {
  sms: "received";
  mms: "received";
  whatsapp: "received" | "postback" | "list" | "reply" | "user_preference";
  rcs: "received" | "attachment" | "location" | "postback" | "subscribe" | "unsubscribe";
  messenger: "received" | "postback";
  instagram: "received" | "postback";
  in_app:
    | "received"
    | "postback"
    | "form_response"
    | "profile_create"
    | "profile_update"
    | "typing_indicator";
  email: "received" | "subscribe" | "unsubscribe";
  apple:
    | "received"
    | "interactive_response"
    | "quick_reply_response"
    | "form_response"
    | "authentication_response"
    | "new_authentication_response"
    | "payment_response"
    | "invitation_response"
    | "imessage_app_response"
    | "typing_indicator"
    | "conversation_closed";
}

type ListOf<Name> = Name extends "attachments" ? WebexConnectAttachment : WebexConnectObject;

type Members<Table extends MemberTable> = { readonly [Name in Table["text"][number]]: string } & {
  readonly [Name in Table["objects"][number]]: WebexConnectObject | undefined;
} & { readonly [Name in Table["lists"][number]]: readonly ListOf<Name>[] } & {
  readonly [Name in Table["texts"][number]]: readonly string[];
};

/** What the sender encoded as JSON text and cannot be read as it: by member, the text. Left out where all could be. */
interface Undecoded {
  readonly undecoded?: { readonly [member: string]: string };
}

/**
 * A receipt. Members that the sender left out are empty strings, as it writes them itself where it knows nothing;
 * members that are not known here are kept under their own names.
 */
export type WebexConnectReceipt<Channel extends keyof WebexConnectReceiptStatuses> = Undecoded & {
  /** As in the type. `deliveryChannel` is what the sender wrote. */
  readonly channel: string;
  /** As in the type. `deliveryStatus` is what the sender wrote. */
  readonly status: string;
} & { readonly [Name in (typeof receiptCommon)[number]]: string } & Members<(typeof receiptMembers)[Channel]>;

/** An incoming message or event; its members are as those of receipts. */
export type WebexConnectMessage<Channel extends keyof WebexConnectMessageEvents> = Undecoded & {
  /** As in the type. */
  readonly channel: string;
  /** As in the type. */
  readonly event: string;
} & { readonly [Name in (typeof messageCommon)[number]]: string } & Members<(typeof messageMembers)[Channel]>;

/**
 * The event types of Webex Connect's outbound webhooks that the documentation names, and their data. Channels, statuses
 * and events beyond them come in under types of the same form; `onAny` and patterns such as `"receipt.*"` get those too.
 */
export type WebexConnectOutboundEventMap = {
  readonly [Channel in keyof WebexConnectReceiptStatuses as `receipt.${Channel}.${WebexConnectReceiptStatuses[Channel]}`]: WebexConnectReceipt<Channel>;
} & {
  readonly [Channel in keyof WebexConnectMessageEvents as `message.${Channel}.${WebexConnectMessageEvents[Channel]}`]: WebexConnectMessage<Channel>;
} & {
  /** A notification of neither kind, as it came. */
  readonly other: WebexConnectObject;
};
