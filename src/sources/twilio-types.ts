/** A form of Twilio's: every field is text; a list where the form repeats a name. */
export interface TwilioForm {
  readonly AccountSid?: string | undefined;
  readonly [field: string]: unknown;
}

/** A message that came in, or how one fares that was sent. */
export interface TwilioMessage extends TwilioForm {
  readonly MessageSid: string;
  readonly From?: string | undefined;
  readonly To?: string | undefined;
  /** Of a message that came in. */
  readonly Body?: string | undefined;
  readonly NumMedia?: string | undefined;
  readonly MessageStatus?: string | undefined;
  readonly ErrorCode?: string | undefined;
}

/** A call that came in, or how a call fares. */
export interface TwilioCall extends TwilioForm {
  readonly CallSid: string;
  readonly CallStatus: string;
  readonly From?: string | undefined;
  readonly To?: string | undefined;
}

/** An event of Event Streams: a CloudEvent. Its `data` is what `dataschema` says. */
export interface TwilioStreamEvent<Type extends string = string> {
  readonly specversion: string;
  readonly type: Type;
  readonly source: string;
  readonly id: string;
  readonly dataschema?: string | undefined;
  readonly time?: string | undefined;
  readonly data?: unknown;
  readonly [attribute: string]: unknown;
}

type MessageStatus =
  | "accepted"
  | "canceled"
  | "delivered"
  | "failed"
  | "partially_delivered"
  | "queued"
  | "read"
  | "received"
  | "receiving"
  | "scheduled"
  | "sending"
  | "sent"
  | "undelivered";

type CallStatus =
  | "busy"
  | "canceled"
  | "completed"
  | "failed"
  | "in-progress"
  | "initiated"
  | "no-answer"
  | "queued"
  | "ringing";

/**
 * What comes from Twilio, by what its forms say: `message.received` for what came in, `message.STATUS`, `call.STATUS`,
 * `recording.STATUS`, `conference.EVENT`, `event.TYPE` for forms with an `EventType` (Conversations, TaskRouter), else `form`;
 * and the types of Event Streams as they are.
 */
export type TwilioEventMap = {
  readonly [Status in MessageStatus as `message.${Status}`]: TwilioMessage;
} & {
  readonly [Status in CallStatus as `call.${Status}`]: TwilioCall;
} & {
  readonly [type: `recording.${string}`]: TwilioForm;
  readonly [type: `conference.${string}`]: TwilioForm;
  readonly [type: `event.${string}`]: TwilioForm;
  readonly [type: `com.twilio.${string}`]: TwilioStreamEvent;
  readonly form: TwilioForm;
};
