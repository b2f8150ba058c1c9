import { createHash } from "node:crypto";
import { Refusal } from "../errors.js";
import { memberAt } from "../lib/json.js";
import { assertOptions, describe, OptionError, optionKeys, own, stringOption } from "../lib/options.js";
import type { ParsedDelivery, Source, SourceEvent, SourceFault } from "../types/source.js";
import type { RegisteredHandler } from "./handlers.js";

/** Where something is: a member path of the body (`"meta.type"`), a header, or a function that finds it. */
export type Locator =
  | string
  | {
      /** Name of the header. */
      readonly header: string;
    }
  | ((delivery: ParsedDelivery) => unknown);

/** Where an event's type, id and data are in a delivery. */
export interface EnvelopeOptions {
  /** Default: the member `type` of the body. */
  readonly type?: Locator | undefined;
  /** Default: the member `id` of the body. Where none is found, the id is derived from the body's bytes. */
  readonly id?: Locator | undefined;
  /** Default: the whole body. `"data"` for senders that wrap their data. Not a header. */
  readonly data?: string | ((delivery: ParsedDelivery) => unknown) | undefined;
}

const noHandlers: readonly RegisteredHandler[] = Object.freeze([]);

/** An event on its way from the body to the inbox or the handlers. Made as the sender put it; the checks fill in the rest. */
export class IncomingEvent {
  readonly type: string;
  readonly id: string;
  /** The data as the sender put it. */
  readonly data: unknown;
  /** Those registered for its type. */
  handlers: readonly RegisteredHandler[] = noHandlers;
  /** What the schema made of the data. Undefined without handlers: then the schema is not run. */
  checkedData: unknown = undefined;
  /** How the data breaks its schema. */
  fault: Refusal | undefined = undefined;

  constructor(type: string, id: string, data: unknown) {
    this.type = type;
    this.id = id;
    this.data = data;
  }
}

/** Takes events out of deliveries. */
export interface Envelope {
  /**
   * Type, id and data of each event, or ERR_EVENT_INVALID where one has no type, or its id cannot be one. An id is a
   * string of 1 to 255 characters or a safe integer; without one it is the SHA-256 of name and bytes, so that a retry
   * of the same body has the same id.
   */
  open(delivery: ParsedDelivery, rawBody: Buffer): readonly IncomingEvent[] | Refusal;
  /** The data of one event alone, by its place in the delivery, for a further parse of the same bytes. */
  data(delivery: ParsedDelivery, position: number): unknown;
}

type Find = (delivery: ParsedDelivery) => unknown;

const maxIdLength = 255;

/** Prepares the locators; `name` is the receiver's, part of derived ids. */
export function createEnvelope(options: EnvelopeOptions, name: string, where: string): Envelope {
  const findType = locator(own(options, "type") ?? "type", `${where}.type`);
  const findId = locator(own(options, "id") ?? "id", `${where}.id`);
  const data = own(options, "data");
  if (typeof data === "object") {
    throw new OptionError(
      `${where}.data`,
      ` must be a member path or a function; data cannot come from a header`,
    );
  }
  const findData =
    data === undefined ? (delivery: ParsedDelivery) => delivery.body : locator(data, `${where}.data`);
  return {
    data: findData,
    open(delivery, rawBody) {
      const type = findType(delivery);
      if (typeof type !== "string" || type === "") {
        return new Refusal(
          "ERR_EVENT_INVALID",
          `the event has no type: the option \`type\` finds ${describe(type)} where a string is expected`,
          undefined,
          "type",
        );
      }
      const id = asId(findId(delivery)) ?? derivedId(name, rawBody);
      return id instanceof Refusal ? id : [new IncomingEvent(type, id, findData(delivery))];
    },
  };
}

/** An event's id out of what was found; undefined where nothing was, ERR_EVENT_INVALID where it cannot be one. */
export function asId(value: unknown): string | Refusal | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value.length > 0 && value.length <= maxIdLength) return value;
  // A larger number has lost its last digits in JSON.parse: two events would share an id.
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : undefined;
  const found = typeof value === "string" ? `a string of ${value.length}` : describe(value);
  return new Refusal(
    "ERR_EVENT_INVALID",
    `the event's id must be a string of 1 to ${maxIdLength} characters or a whole number, not ${found}`,
    undefined,
    "id",
  );
}

/** The id of an event whose sender gives none. */
export function derivedId(name: string, rawBody: Buffer): string {
  return `sha256-${createHash("sha256").update(name).update("\0").update(rawBody).digest("hex").slice(0, 32)}`;
}

function locator(value: Locator, where: string): Find {
  if (typeof value === "function") return value;
  if (typeof value === "string") {
    const path = stringOption(value, where).split(".");
    return ({ body }) => memberAt(body, path);
  }
  assertOptions(value, optionKeys<typeof value>({ header: true }), where);
  const header = stringOption(value.header, `${where}.header`).toLowerCase();
  return ({ headers }) => (Object.hasOwn(headers, header) ? headers[header] : undefined);
}

/** ERR_EVENT_INVALID of what a source could not read, with the kind of fault that the source names. */
export class SourceRefusal extends Refusal {
  readonly kind: string | undefined;

  constructor(reason: string, kind: string | undefined) {
    super("ERR_EVENT_INVALID", reason);
    this.kind = kind;
  }
}

/** A delivery that says more is not handled in one piece. */
const mostEvents = 10_000;

/** The envelope of a source: its events, with ids of their own. `name` is the receiver's, part of derived ids. */
export function createSourceEnvelope(source: Pick<Source, "name" | "events">, name: string): Envelope {
  return {
    data(delivery, position) {
      const found = source.events(delivery);
      return isFault(found) ? undefined : found[position]?.data;
    },
    open(delivery, rawBody) {
      const found: unknown = source.events(delivery);
      if (isFault(found)) return refuse(source, found.fault, found.kind);
      if (!Array.isArray(found))
        return new Refusal("ERR_INTERNAL", `the source "${source.name}" gave no events`);
      if (found.length > mostEvents) return refuse(source, `the delivery has more than ${mostEvents} events`);
      return openAll(source, found as readonly SourceEvent[], () => derivedId(name, rawBody));
    },
  };
}

function openAll(
  source: Pick<Source, "name">,
  found: readonly SourceEvent[],
  derive: () => string,
): readonly IncomingEvent[] | Refusal {
  const opened: IncomingEvent[] = [];
  for (const [position, { type, id: given, data }] of found.entries()) {
    if (typeof type !== "string" || type === "") {
      return refuse(source, `the event has no type: ${describe(type)} where a string is expected`);
    }
    const id = asId(given) ?? (found.length === 1 ? derive() : `${derive()}-${position}`);
    if (id instanceof Refusal) return id;
    opened.push(new IncomingEvent(type, id, data));
  }
  return opened;
}

function refuse({ name }: Pick<Source, "name">, reason: string, kind?: string): Refusal {
  return new SourceRefusal(`${name}: ${reason}`, kind);
}

function isFault(found: unknown): found is SourceFault {
  return typeof found === "object" && found !== null && "fault" in found;
}
