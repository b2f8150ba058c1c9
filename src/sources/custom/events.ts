import { assertOptions, describe, OptionError, optionKeys, own, stringOption } from "../../lib/options.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  ParsedDelivery,
  Source,
  SourceEvent,
  SourceFault,
} from "../../types/source.js";
import { memberOf, withMember } from "../settings.js";
import { headerName } from "./signature.js";

/**
 * Where something is: a member path such as `"meta.type"`, a header, or a function. `element` is the body, or with `each`
 * one element of its list, and paths begin there.
 */
export type CustomLocator =
  | string
  | {
      /** Name of the header. */
      readonly header: string;
    }
  | ((delivery: ParsedDelivery, element: unknown) => unknown);

/** Where the events of a delivery are. */
export interface CustomEventsOptions {
  /** Default: the member `type`. */
  readonly type?: CustomLocator | undefined;
  /** Default: the member `id`. Where none is found, the id is derived from the body's bytes. */
  readonly id?: CustomLocator | undefined;
  /** Default: the whole body, or with `each` the whole element. Not a header. */
  readonly data?: string | ((delivery: ParsedDelivery, element: unknown) => unknown) | undefined;
  /** Path of a list of which every element is an event; `"."` where the body is the list. Default: the body is one event. */
  readonly each?: string | undefined;
  /** Instead of the four above. Pure: it may be asked again for the same delivery. */
  readonly events?: ((delivery: ParsedDelivery) => readonly SourceEvent[] | SourceFault) | undefined;
}

/** What the options of events come to. */
export interface CustomEvents {
  readonly events: Source["events"];
  /** Names of the headers that are read, in lower case. */
  readonly headers: readonly string[];
  /** Undefined where an event cannot be put together backwards. */
  readonly compose: Source["compose"];
}

interface Locator {
  readonly find: (delivery: ParsedDelivery, element: unknown) => unknown;
  readonly header: string | undefined;
  readonly path: string | undefined;
}

const placeNames = optionKeys<Extract<CustomLocator, object & { readonly header: string }>>({ header: true });
const locatorNames = ["type", "id", "data", "each"] as const;

/** Reads the options of events. TypeError for those that cannot be meant. */
export function resolveEvents(options: Record<string, unknown>, where: string): CustomEvents {
  const events = own(options, "events");
  if (events !== undefined) {
    if (typeof events !== "function")
      throw new OptionError(`${where}.events`, ` must be a function, not ${describe(events)}`);
    const both = locatorNames.find((name) => own(options, name) !== undefined);
    if (both !== undefined)
      throw new OptionError(where, ` has \`events\` and \`${both}\`: leave one of them out`);
    return { events: events as Source["events"], headers: [], compose: undefined };
  }
  const each = own(options, "each");
  const list = each === undefined ? undefined : stringOption(each, `${where}.each`);
  const type = locator(own(options, "type") ?? "type", `${where}.type`);
  const id = locator(own(options, "id") ?? "id", `${where}.id`);
  const data = locator(own(options, "data") ?? ".", `${where}.data`);
  if (data.header !== undefined) {
    throw new OptionError(
      `${where}.data`,
      ` must be a member path or a function; data cannot come from a header`,
    );
  }
  if (list !== undefined && id.header !== undefined) {
    throw new OptionError(
      `${where}.id`,
      ` is a header, and with \`each\` a delivery has several events: each needs an id of its own`,
    );
  }
  const headers = [type.header, id.header].filter((name) => name !== undefined);
  return {
    events: (delivery) => readEvents(delivery, { type, id, data, list }),
    headers,
    compose: composer({ type, id, data, list }),
  };
}

interface Locators {
  readonly type: Locator;
  readonly id: Locator;
  readonly data: Locator;
  readonly list: string | undefined;
}

function readEvents(delivery: ParsedDelivery, locators: Locators): readonly SourceEvent[] | SourceFault {
  const { type, id, data, list } = locators;
  const elements = list === undefined ? [delivery.body] : at(delivery.body, list);
  if (!Array.isArray(elements))
    return { fault: `\`each\` finds ${describe(elements)} where a list is expected` };
  const events: SourceEvent[] = [];
  for (const element of elements as readonly unknown[]) {
    const found = type.find(delivery, element);
    if (typeof found !== "string" || found === "") {
      return { fault: `\`type\` finds ${describe(found)} where a string is expected` };
    }
    // What an id may be is checked for all sources alike.
    const foundId = id.find(delivery, element) as SourceEvent["id"];
    events.push({ type: found, id: foundId, data: data.find(delivery, element) });
  }
  return events;
}

function locator(value: unknown, where: string): Locator {
  if (typeof value === "function") {
    return { find: value as Locator["find"], header: undefined, path: undefined };
  }
  if (typeof value === "string") {
    const path = stringOption(value, where);
    if (path !== "." && path.split(".").includes("")) {
      throw new OptionError(
        where,
        ` is not a member path: names with a dot between them, such as "meta.type"`,
      );
    }
    return { find: (_, element) => at(element, path), header: undefined, path };
  }
  assertOptions(value, placeNames, where);
  const header = headerName(own(value, "header"), `${where}.header`);
  const find = ({ headers }: ParsedDelivery): unknown => own(headers, header);
  return { find, header, path: undefined };
}

function at(value: unknown, path: string): unknown {
  return path === "." ? value : memberOf(value, path);
}

/** What `events` reads, written the other way round; undefined where a function reads it. */
function composer({ type, id, data, list }: Locators): Source["compose"] {
  const known = [type, id].every(({ header, path }) => header !== undefined || (path ?? ".") !== ".");
  if (!known || data.path === undefined) return undefined;
  return (event: ComposeEvent): ComposedDelivery => {
    const headers: Record<string, string> = {};
    let element: unknown = data.path === "." ? event.data : withMember({}, data.path as string, event.data);
    for (const [{ header, path }, value] of [
      [type, event.type],
      [id, event.id],
    ] as const) {
      if (header !== undefined) headers[header] = value;
      else element = withMember(element, path as string, value);
    }
    const body = list === undefined ? element : list === "." ? [element] : withMember({}, list, [element]);
    return { headers, contentType: "application/json", body: JSON.stringify(body) };
  };
}
