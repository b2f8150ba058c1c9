// The Messaging APIs as sources of one's own: what a request says, and how the vendor answers it. Only what its
// documentation says of every channel is checked; what a channel asks for beyond that is its handler's to say.
import type { Source } from "hookgate";
import type { SourceAnswer, SourceEvent, SourceFault, SourceOutcome } from "hookgate/custom";
import { type WebexConnectAnswers, webexConnectAnswer } from "hookgate/webex-connect";

/** A message that somebody wants sent. */
export interface Message {
  /** `sms`, `whatsapp`, `rcs` … in lower case. */
  readonly channel: string;
  /** Numbers and ids, in the order in which they came. */
  readonly to: readonly string[];
  readonly correlationId: string | undefined;
  /** The request as it came, with the content in it. */
  readonly request: object;
}

/** Types are `message.` and the channel. */
export interface MessageEventMap {
  readonly [type: `message.${string}`]: Message;
}

export interface MessagingOptions {
  readonly answers: WebexConnectAnswers;
  /** Milliseconds since the epoch, for the timestamps of answers. */
  readonly now: () => number;
}

/** The vendor documents no limit for its clients; 10 s is what it grants others. */
const deadline = "10s";

/** `POST /resources/v1/messaging`: one message or a list of them; each recipient is answered with a code of its own. */
export function messagingV1({ answers }: MessagingOptions): Source<MessageEventMap> {
  return {
    name: "messaging-v1",
    bodies: ["json"],
    headers: [],
    deadline,
    events: ({ body }) => all(Array.isArray(body) ? body : [body], readV1),
    answer: (outcome) =>
      answers === "http" ? undefined : webexConnectAnswer(outcome, { queued: "1001", correlationOf }),
  };
}

function readV1(request: unknown): readonly SourceEvent[] | SourceFault {
  const channel = textOf(request, "deliverychannel");
  if (channel === undefined) return { fault: "deliverychannel is missing", kind: "7003 deliverychannel" };
  const destinations = memberOf(request, "destination");
  if (!Array.isArray(destinations) || destinations.length === 0) {
    return { fault: "destination is missing", kind: "7003 destination" };
  }
  const ownId = textOf(request, "correlationid");
  return all(destinations, (destination) => {
    const to = recipientsOf(destination);
    if (to.length === 0) return { fault: "a destination names nobody", kind: "7004 destination" };
    const correlationId =
      textOf(destination, "correlationid") ?? textOf(destination, "correlationId") ?? ownId;
    return [message({ channel, to, correlationId, request: request as object })];
  });
}

/** `POST /v2/messages`: 201 and a message id, 400 with a code and a message, 401 without a body. */
export function messagingV2({ answers, now }: MessagingOptions): Source<MessageEventMap> {
  return {
    name: "messaging-v2",
    bodies: ["json"],
    headers: [],
    deadline,
    events: ({ body }) => readV2(body),
    answer: (outcome) => (answers === "http" ? undefined : answerV2(outcome, now)),
  };
}

/** A fault's `kind` names the parameter, for the answer. */
function readV2(request: unknown): readonly SourceEvent[] | SourceFault {
  const channel = textOf(request, "channel");
  const destinations = memberOf(request, "to");
  const to = Array.isArray(destinations) ? destinations.flatMap(recipientsOf) : [];
  const says = (name: string): boolean => memberOf(request, name) !== undefined;
  const wrong: readonly (readonly [string, boolean])[] = [
    ["channel", channel === undefined],
    ["from", textOf(request, "from") === undefined],
    ["to", to.length === 0],
    ["content", !says("content") && !says("template")],
    ["sendAt", says("sendAt") && !isInstant(memberOf(request, "sendAt"))],
    ["expireAt", says("expireAt") && !isInstant(memberOf(request, "expireAt"))],
    ["validity", says("validity") && says("expireAt")],
  ];
  const [parameter] = wrong.find(([, isWrong]) => isWrong) ?? [];
  if (parameter !== undefined) return { fault: `${parameter} is missing or wrong`, kind: parameter };
  const [first] = destinations as readonly unknown[];
  const correlationId = textOf(first, "correlationId");
  return [message({ channel: channel as string, to, correlationId, request: request as object })];
}

function answerV2(outcome: SourceOutcome, now: () => number): SourceAnswer {
  const { code, httpStatus, requestId, events, faultKind } = outcome;
  const refuse = (status: number, of: string, message: string): SourceAnswer => ({
    status,
    body: { code: of, message },
  });
  switch (code) {
    case undefined:
      return {
        status: 201,
        body: {
          requestTimestamp: timestamp(now),
          messageId: requestId,
          correlationId: correlationOf(events[0]?.data) ?? "",
          status: "queued",
        },
      };
    case "ERR_CREDENTIAL_MISSING":
    case "ERR_KEY_INVALID":
    case "ERR_TOKEN_INVALID":
      return { status: 401, headers: { "WWW-Authenticate": "Bearer" } };
    case "ERR_BODY_MALFORMED":
      return refuse(400, "7000", "Invalid JSON");
    case "ERR_EVENT_INVALID":
      return refuse(400, "7004", `Invalid parameter - ${faultKind ?? "content"}`);
    case "ERR_ADDRESS_REFUSED":
      return refuse(httpStatus, "7010", "Source IP is not allowlisted");
    default:
      return refuse(httpStatus, "7005", "Internal error occurred");
  }
}

/**
 * `POST /v1/sms/messages`, in production and in the sandbox, whose clients put a bare key into `Authorization`: 202 and a
 * message id, 400 with a code and a message, 403 for a wrong credential.
 */
export function smsV1({ answers, now }: MessagingOptions): Source<MessageEventMap> {
  return {
    name: "sms-v1",
    bodies: ["json"],
    headers: [],
    deadline,
    credentialPlaces: { keyInAuthorization: true },
    events: ({ body }) => {
      const to = textOf(body, "to");
      const missing = (["from", "to", "content"] as const).find((name) => textOf(body, name) === undefined);
      if (to === undefined || missing !== undefined) {
        return { fault: `${missing} is missing`, kind: `: ${missing}` };
      }
      const correlationId = textOf(body, "correlationId");
      return [message({ channel: "sms", to: [to], correlationId, request: body as object })];
    },
    answer: (outcome) => (answers === "http" ? undefined : answerSmsV1(outcome, now)),
  };
}

function answerSmsV1(outcome: SourceOutcome, now: () => number): SourceAnswer {
  const { code, requestId, events } = outcome;
  if (code === undefined) {
    const correlationId = correlationOf(events[0]?.data) ?? "";
    return { status: 202, body: { acceptedTime: timestamp(now), messageId: requestId, correlationId } };
  }
  const answer = answerV2(outcome, now);
  return answer.status === 401
    ? { status: 403, body: { code: "7001", message: "Authentication failed." } }
    : answer;
}

/** With an offset, as the vendor writes it. */
function timestamp(now: () => number): string {
  return new Date(now()).toISOString().replace("Z", "+00:00");
}

function message(data: Message): SourceEvent {
  const channel = data.channel.toLowerCase();
  return { type: `message.${channel}`, data: { ...data, channel } };
}

function correlationOf(data: unknown): string | undefined {
  return textOf(data, "correlationId");
}

/** Recipients stand in lists named by their kind: `msisdn`, `waid`, `userid` … */
function recipientsOf(destination: unknown): readonly string[] {
  if (typeof destination !== "object" || destination === null) return [];
  const lists = Object.values(destination).filter((value) => Array.isArray(value));
  return lists
    .flat()
    .filter((entry) => typeof entry === "string" || typeof entry === "number")
    .map(String);
}

/** The events of all items, or the first fault. */
function all(
  items: readonly unknown[],
  read: (item: unknown) => readonly SourceEvent[] | SourceFault,
): readonly SourceEvent[] | SourceFault {
  const events: SourceEvent[] = [];
  for (const item of items) {
    const found = read(item);
    if ("fault" in found) return found;
    events.push(...found);
  }
  return events;
}

function isInstant(value: unknown): boolean {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

function textOf(value: unknown, name: string): string | undefined {
  const found = memberOf(value, name);
  if (typeof found === "number") return String(found);
  return typeof found === "string" && found !== "" ? found : undefined;
}
