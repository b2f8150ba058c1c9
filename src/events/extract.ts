import { createHash } from "node:crypto";
import { Refusal } from "../errors.js";
import { memberAt } from "../lib/members.js";
import { assertOptions, describe, OptionError, own, stringOption } from "../lib/options.js";
import type { ParsedDelivery } from "../types/source.js";
import { IncomingEvent } from "./incoming-event.js";

/** Where something stands: a member path of the body (`"meta.type"`), a header, or a function that finds it. */
export type Locator =
  | string
  | {
      /** Name of the header. */
      readonly header: string;
    }
  | ((delivery: ParsedDelivery) => unknown);

/** Where an event's type, id and data stand in a delivery. */
export interface EnvelopeOptions {
  /** Default: the member `type` of the body. */
  readonly type?: Locator | undefined;
  /** Default: the member `id` of the body. Where none is found, the id is derived from the body's bytes. */
  readonly id?: Locator | undefined;
  /** Default: the whole body. `"data"` for senders that wrap their data. Not a header. */
  readonly data?: string | ((delivery: ParsedDelivery) => unknown) | undefined;
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
  assertOptions(value, ["header"], where);
  const header = stringOption(value.header, `${where}.header`).toLowerCase();
  return ({ headers }) => (Object.hasOwn(headers, header) ? headers[header] : undefined);
}
