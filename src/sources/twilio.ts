import { createHash } from "node:crypto";
import { parseForm } from "../body/parse.js";
import { assertOptions, flagOption, optionKeys, own, stringOption } from "../lib/options.js";
import { parsePublicUrl } from "../signatures/public-url.js";
import { parseSecrets, type SigningSecrets } from "../signatures/signing-keys.js";
import type {
  SignatureFault,
  SignatureVariant,
  SignedAlternatives,
  SignedRequest,
} from "../types/signature.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  ParsedDelivery,
  Source,
  SourceAnswer,
  SourceEvent,
  SourceFault,
  SourceOutcome,
} from "../types/source.js";
import { memberOf, textOf } from "./settings.js";

/** Options of `twilio`; `secret`, `sharedKey` or both. */
export interface TwilioOptions {
  /** The account's auth token (32 hex digits), for HMAC-SHA-1; several while it is rotated. */
  readonly secret?: SigningSecrets | undefined;
  /** Secrets of SharedKeys whose settings say `HMAC_SHA256`. Without `secret`, SHA-1 is not accepted at all. */
  readonly sharedKey?: SigningSecrets | undefined;
  /** Origin, or whole URL without query, under which Twilio calls us: it is signed. */
  readonly publicUrl: string;
  /** `true` takes a secret of fewer than 24 bytes. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

/**
 * Twilio's webhooks (messaging, voice, Conversations, TaskRouter …) and Event Streams. `X-Twilio-Signature` in base64 over the
 * public URL and the form's fields, name and value in turn, sorted by name; of a JSON body the URL says the SHA-256
 * (`bodySHA256`). **SHA-1**, as Twilio signs nothing else with the auth token; with a SharedKey (a Webhook Setting, in public
 * beta) HMAC-SHA-256. Twilio signs with the port or without it, whatever was configured: both are accepted.
 *
 * There is no timestamp: a delivery that somebody recorded stays valid, and an inbox recognises it by its id. And nothing
 * marks where a field's name ends: who has a recorded form can move its `=` and `&`. Use https, and read ids as claims.
 *
 * | what | type | id (signed) |
 * |---|---|---|
 * | message that came in | `message.received` | `MessageSid:received` |
 * | status of a message | `message.STATUS`, such as `message.delivered` | `MessageSid:STATUS` |
 * | call | `call.STATUS` | `CallSid:STATUS:SequenceNumber` where there is one, else from the bytes |
 * | recording, conference | `recording.STATUS`, `conference.EVENT` | of the Sid, as above |
 * | form with `EventType` | `event.TYPE`, such as `event.onMessageAdded` | from the bytes |
 * | any other form | `form` | from the bytes |
 * | Event Streams | as they are, `com.twilio.…`; each of the list is an event | the event's `id` |
 *
 * Forms are answered 200 with an empty `<Response/>`, since Twilio reads TwiML and reports anything else as error 12300: no
 * reply is sent, and a call that came in ends. Twilio waits 15 seconds (Event Streams: 5) and tries a form again only where it
 * could not connect, unless the URL's `#rc=` and `#rp=` say more; Event Streams are repeated for four hours. By POST only.
 *
 * @example
 * createReceiver({ name: "sms", source: twilio({ secret: process.env.TWILIO_AUTH_TOKEN, publicUrl: "https://hooks.example.com" }) });
 */
export function twilio(options: TwilioOptions): Source<TwilioEventMap> {
  const where = "twilio";
  assertOptions(
    options,
    optionKeys<TwilioOptions>({ secret: true, sharedKey: true, publicUrl: true, insecureShortSecret: true }),
    where,
  );
  const publicUrl = stringOption(own(options, "publicUrl"), `${where}.publicUrl`);
  parsePublicUrl(publicUrl, `${where}.publicUrl`);
  return {
    name: "twilio",
    bodies: ["form", "json"],
    headers: ["i-twilio-idempotency-token"],
    events: readEvents,
    signature: {
      kind: "header",
      headers: [{ signature: "x-twilio-signature" }],
      variants: variantsOf(options, where),
      encoding: "base64",
      signed: signedOf,
      publicUrl,
    },
    deduplicateBy: "id",
    deadline: "15s",
    answer,
    compose,
    composeUrl,
  };
}

/** Both without a label: their lengths tell them apart, so that neither passes for the other. */
function variantsOf(options: TwilioOptions, where: string): readonly SignatureVariant[] {
  const insecureShortSecret = flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  const [secret, sharedKey] = [own(options, "secret"), own(options, "sharedKey")];
  const variants: SignatureVariant[] = [];
  if (sharedKey !== undefined) {
    const keys = parseSecrets(sharedKey, `${where}.sharedKey`, { insecureShortSecret });
    variants.push({ label: "", algorithm: "hmac-sha256", keys });
  }
  if (secret !== undefined || sharedKey === undefined) {
    const keys = parseSecrets(secret, `${where}.secret`, { insecureShortSecret });
    variants.push({ label: "", algorithm: "hmac-sha1", keys });
  }
  return variants;
}

function signedOf({ publicUrl = "", headers, rawBody }: SignedRequest): SignedAlternatives | SignatureFault {
  const isForm = isFormType(headers["content-type"] ?? "");
  const hash = bodyHashOf(publicUrl);
  // Of a form too, where the URL has it: else a recorded JSON delivery would pass with an empty form.
  if (hash === undefined ? !isForm : hash !== createHash("sha256").update(rawBody).digest("hex")) {
    return hash === undefined
      ? malformed("the URL has not one bodySHA256, so nothing vouches for a body that is no form")
      : { fault: "mismatch", reason: "the body is not the one whose SHA-256 stands in the URL" };
  }
  const fields = isForm ? fieldsOf(rawBody) : [];
  if ("fault" in fields) return fields;
  return { anyOf: urlsOf(publicUrl).map((url) => [url, ...fields]) };
}

function isFormType(contentType: string): boolean {
  return /^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType);
}

function bodyHashOf(url: string): string | undefined {
  const found = [...url.matchAll(/[?&]bodySHA256=([^&#]*)/g)];
  return found.length === 1 ? found[0]?.[1] : undefined;
}

/** Names and values in turn, sorted by name; of a name that is repeated each value once, sorted. */
function fieldsOf(rawBody: Buffer): readonly string[] | SignatureFault {
  const form = parseForm(rawBody);
  if (!("value" in form)) return malformed("the form cannot be read, so its fields cannot be put in order");
  return Object.entries(form.value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([name, value]) => {
      const values = Array.isArray(value) ? [...new Set(value.map(String))].sort() : [String(value)];
      return values.flatMap((each) => [name, each]);
    });
}

/** The URL as it was configured, and with or without its port. */
function urlsOf(url: string): readonly string[] {
  const parts = /^(https?):\/\/(\[[^\]]*\]|[^:/?#]*)(:\d+)?(.*)$/s.exec(url);
  if (parts === null) return [url];
  const [, scheme = "", host = "", port, rest = ""] = parts;
  const other = port === undefined ? (scheme === "https" ? ":443" : ":80") : "";
  return [url, `${scheme}://${host}${other}${rest}`];
}

function malformed(reason: string): SignatureFault {
  return { fault: "malformed", reason };
}

function readEvents({ body, kind }: ParsedDelivery): readonly SourceEvent[] | SourceFault {
  if (kind === "form") return [readForm(body)];
  const list: readonly unknown[] = Array.isArray(body) ? body : [body];
  const events: SourceEvent[] = [];
  for (const data of list) {
    const type = textOf(data, "type");
    if (type === undefined) return { fault: "the body is no list of CloudEvents: an element has no type" };
    if (!type.startsWith("com.twilio.")) return { fault: "the type of a CloudEvent is none of Twilio's" };
    events.push({ type, id: textOf(data, "id"), data });
  }
  return events;
}

function readForm(data: unknown): SourceEvent {
  const text = (name: string): string | undefined => textOf(data, name);
  const event = (kind: string, what: string, sid: string | undefined, ...more: string[]): SourceEvent => ({
    type: `${kind}.${what}`,
    id: sid === undefined ? undefined : [sid, what, ...more].join(":"),
    data,
  });
  const message = text("MessageSid") ?? text("SmsSid");
  const eventType = text("EventType");
  // Status callbacks of WhatsApp have an EventType too; messages of Conversations have no MessageStatus.
  const status =
    text("MessageStatus") ?? (eventType === undefined ? (text("SmsStatus") ?? "received") : undefined);
  if (message !== undefined && status !== undefined) return event("message", status, message);
  if (eventType !== undefined) return event("event", eventType, undefined);
  const recording = text("RecordingStatus");
  if (recording !== undefined) return event("recording", recording, text("RecordingSid"));
  const number = text("SequenceNumber");
  const counted = (name: string): string | undefined => (number === undefined ? undefined : text(name));
  const conference = text("ConferenceSid") === undefined ? undefined : text("StatusCallbackEvent");
  if (conference !== undefined)
    return event("conference", conference, counted("ConferenceSid"), number ?? "");
  const call = text("CallSid") === undefined ? undefined : text("CallStatus");
  if (call !== undefined) return event("call", call, counted("CallSid"), number ?? "");
  return { type: "form", data };
}

const taken: ReadonlySet<SourceOutcome["status"]> = new Set(["handled", "accepted", "duplicate", "ignored"]);

function answer({ status, bodyKind }: SourceOutcome): SourceAnswer | undefined {
  if (bodyKind !== "form" || !taken.has(status)) return undefined;
  return {
    status: 200,
    headers: { "content-type": "text/xml; charset=utf-8" },
    body: '<?xml version="1.0" encoding="UTF-8"?><Response/>',
  };
}

const sids: ReadonlyMap<string, readonly [sid: string, status: string]> = new Map([
  ["message", ["MessageSid", "MessageStatus"]],
  ["call", ["CallSid", "CallStatus"]],
  ["recording", ["RecordingSid", "RecordingStatus"]],
  ["conference", ["ConferenceSid", "StatusCallbackEvent"]],
]);

/** A body that is no form is signed by a URL that says its hash. */
function composeUrl(
  url: string,
  { contentType, rawBody }: { readonly contentType: string; readonly rawBody: Buffer },
): string {
  if (isFormType(contentType) || bodyHashOf(url) !== undefined) return url;
  const hash = createHash("sha256").update(rawBody).digest("hex");
  return `${url}${url.includes("?") ? "&" : "?"}bodySHA256=${hash}`;
}

function compose({ type, id, data, nowMs }: ComposeEvent): ComposedDelivery {
  const given = typeof data === "object" && data !== null ? data : {};
  if (type.startsWith("com.twilio.")) {
    const source = memberOf(given, "source") ?? "hookgate";
    const event = Object.hasOwn(given, "specversion") ? given : { data };
    const attributes = { specversion: "1.0", source, time: new Date(nowMs).toISOString() };
    const body = JSON.stringify([{ ...attributes, ...event, type, id }]);
    return { headers: {}, contentType: "application/json", body };
  }
  const [kind = "", ...rest] = type.split(".");
  const what = rest.join(".");
  const names = sids.get(kind);
  const fields: Record<string, unknown> = { ...given };
  if (names !== undefined) {
    const [sid, status] = names;
    fields[sid] ??= id.endsWith(`:${what}`) ? id.slice(0, -what.length - 1) : id;
    fields[type === "message.received" ? "SmsStatus" : status] ??= what;
  } else if (kind === "event") fields.EventType ??= what;
  const pairs = Object.entries(fields).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each): [string, string] => [name, String(each)]),
  );
  const body = new URLSearchParams(pairs).toString();
  return { headers: {}, contentType: "application/x-www-form-urlencoded", body };
}

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
