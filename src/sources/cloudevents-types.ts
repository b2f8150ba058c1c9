import type { AnyEventMap } from "../types/event.js";

/** A CloudEvent 1.0, whichever mode it came in. Attributes that it does not have are not there. */
export interface CloudEvent<Data = unknown> {
  /** Version of the specification. */
  readonly specversion: "1.0";
  /** Unique together with `source`. */
  readonly id: string;
  /** A URI reference. */
  readonly source: string;
  /** Type of the event, such as `com.example.order.paid`. */
  readonly type: string;
  /** What the event is about, within `source`. */
  readonly subject?: string;
  /** RFC 3339, as it came: with all its digits. */
  readonly time?: string;
  /** The media type of `data`. Missing in structured mode: JSON, or unknown where `data` is a Buffer. */
  readonly datacontenttype?: string;
  /** An absolute URI. */
  readonly dataschema?: string;
  /** What JSON says; a string for `text/*` and XML; a Buffer for all else, and for `data_base64`. */
  readonly data?: Data;
  /** Attributes of extensions: text; in structured mode also booleans and integers. */
  readonly [extension: string]: unknown;
}

/** What `data` hands to handlers. */
export type CloudEventContent = "event" | "data";

/** The types of handlers' events: any type; `data` is the whole CloudEvent, or unknown. */
export type CloudEventMap<Content extends CloudEventContent = "event"> = Content extends "event"
  ? { readonly [type: string]: CloudEvent }
  : AnyEventMap;
