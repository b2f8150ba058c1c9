import { Buffer } from "node:buffer";
import { assertOptions, optionKeys, own, stringOption } from "../../lib/options.js";
import type { ParsedDelivery, Source, SourceEvent, SourceFault } from "../../types/source.js";
import { memberOf, textOf } from "../settings.js";
import { webexConnectAnswer } from "./answers.js";
import { commonOptions, parseCommonOptions, type WebexConnectCommonOptions } from "./options.js";

/** An event of the Custom Event API, with what its request says of all of them. */
export interface WebexConnectCustomEvent {
  readonly evtid: string;
  /** At most 50 bytes; for tracking, and not unique. */
  readonly correlationid?: string;
  /** Empty where the sender left it out. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Of the request: where its sender wants to be told what became of it. */
  readonly notifyurl?: string;
  /** Of the request: until when its events are wanted, UTC, as the sender wrote it. Not enforced here. */
  readonly expiry?: string;
}

/** The events' types are their `evtid`. */
export interface WebexConnectEventMap {
  readonly [evtid: string]: WebexConnectCustomEvent;
}

/** Options of `webexConnectEvents`. */
export interface WebexConnectEventsOptions extends WebexConnectCommonOptions {
  /**
   * Member path within each event that tells a repetition, such as `correlationid` or `parameters.orderId`; events of
   * different `evtid` never count as one. Default: the whole request's bytes tell, so that for an inbox equal requests are
   * one.
   */
  readonly id?: string | undefined;
}

const longestCorrelation = 50;

/**
 * Requests of Webex Connect's Custom Event API v1, to be served at `/resources/v1/events/externalevent/`: JSON with a list
 * `events`, each of which becomes an event; its type is `evtid`, its data the item, checked to be what the type says.
 * Credentials are the receiver's `auth`: the header `key`, or a service's JWT (`webexConnectServiceJwt`), which has
 * priority. `answers: "webex"` answers each event with 1002, or the request with a code of 7000 and above.
 *
 * @example
 * createReceiver({ name: "events", source: webexConnectEvents({ answers: "webex" }), auth: { serviceKey } });
 */
export function webexConnectEvents(options: WebexConnectEventsOptions = {}): Source<WebexConnectEventMap> {
  const where = "webexConnectEvents";
  assertOptions(options, optionKeys<WebexConnectEventsOptions>({ ...commonOptions, id: true }), where);
  const { answers, members } = parseCommonOptions(options, where);
  const id = own(options, "id");
  const path = id === undefined ? undefined : stringOption(id, `${where}.id`);
  return {
    name: "webex-connect-events",
    bodies: ["json"],
    headers: [],
    events: ({ body }) => readEvents(body, path),
    ...members,
    answer: (outcome) =>
      answers === "http"
        ? undefined
        : webexConnectAnswer(outcome, { correlationOf: (data) => textOf(data, "correlationid") }),
    compose: ({ type, data }) => ({
      headers: {},
      contentType: "application/json",
      body: JSON.stringify({ events: [{ ...(data as object), evtid: type }] }),
    }),
  };
}

function readEvents(
  body: ParsedDelivery["body"],
  path: string | undefined,
): readonly SourceEvent[] | SourceFault {
  const items = memberOf(body, "events");
  if (items === undefined) return { fault: "the member `events` is missing", kind: "7003 events" };
  if (!Array.isArray(items) || items.length === 0)
    return invalid("events", "is no list with something in it");
  const common = { ...text("notifyurl", body), ...text("expiry", body) };
  const events: SourceEvent[] = [];
  for (const item of items as readonly unknown[]) {
    const event = readEvent(item, common, path);
    if ("fault" in event) return event;
    events.push(event);
  }
  return events;
}

function readEvent(item: unknown, common: object, path: string | undefined): SourceEvent | SourceFault {
  // The documentation has a string; clients send the number that they see.
  const evtid = written(memberOf(item, "evtid"));
  if (evtid === undefined) return invalid("evtid", "is missing, or neither text nor a number");
  const correlationid = memberOf(item, "correlationid") ?? "";
  const correlation = correlationid === "" ? undefined : written(correlationid);
  if (
    correlationid !== "" &&
    (correlation === undefined || Buffer.byteLength(correlation) > longestCorrelation)
  ) {
    return invalid("correlationid", `is no text of at most ${longestCorrelation} bytes`);
  }
  const parameters = memberOf(item, "parameters") ?? {};
  if (typeof parameters !== "object" || Array.isArray(parameters))
    return invalid("parameters", "is no object");
  const data: WebexConnectCustomEvent = {
    evtid,
    ...(correlation === undefined ? {} : { correlationid: correlation }),
    parameters: parameters as WebexConnectCustomEvent["parameters"],
    ...common,
  };
  const found = path === undefined ? undefined : written(memberOf(data, path));
  return { type: evtid, id: found === undefined ? undefined : `${evtid}:${found}`, data };
}

function text(name: "notifyurl" | "expiry", body: unknown): Partial<WebexConnectCustomEvent> {
  const found = textOf(body, name);
  return found === undefined ? {} : { [name]: found };
}

function written(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The vendor's code and the member, for the answer. */
function invalid(member: string, what: string): SourceFault {
  return { fault: `${member} ${what}`, kind: `7004 ${member}` };
}
