import type { IncomingHttpHeaders } from "node:http";
import { parseBody } from "../body/parse.js";
import { Refusal } from "../errors.js";
import type { Envelope } from "../events/extract.js";
import { type Catalog, issuePaths, type Validation } from "../events/schemas.js";

import { andThen } from "../lib/promises.js";
import type { MaybePromise } from "../types/credential.js";
import type { Task } from "../types/engine.js";
import type { WebhookEvent } from "../types/event.js";
import type { BodyKind } from "../types/source.js";

/** How bytes become events, for what comes in and for what is stored. */
export interface EventReader {
  readonly envelope: Envelope;
  readonly catalog: Catalog;
  /** Whether bodies of JSON are among those that are taken. */
  readonly readsJson: boolean;
}

/** A body as it came, how to read it, and its headers. */
export interface UnreadDelivery {
  readonly kind: BodyKind;
  readonly rawBody: Buffer;
  readonly headers: IncomingHttpHeaders;
}

/** Data that passed its schema. */
export interface CheckedData {
  readonly value: unknown;
}

/** Checks data against the schema of its type. A promise only if the schema is asynchronous. */
export function checkData(
  reader: Pick<EventReader, "catalog">,
  type: string,
  data: unknown,
): MaybePromise<CheckedData | Refusal> {
  return andThen(reader.catalog.validate(type, data), checkedOrRefused);
}

function checkedOrRefused(checked: Validation): CheckedData | Refusal {
  if (checked.ok) return checked;
  const paths = issuePaths(checked.issues).join(", ");
  return new Refusal("ERR_EVENT_INVALID", `the data breaks the schema at ${paths}`, checked.issues, "schema");
}

/** One event of a delivery. */
export interface EventPlace {
  readonly type: string;
  /** Its place in the delivery. */
  readonly position: number;
}

/** The data of one event, read anew and checked against its schema. A promise only for XML and asynchronous schemas. */
export function readData(
  reader: EventReader,
  { type, position }: EventPlace,
  delivery: UnreadDelivery,
): MaybePromise<CheckedData | Refusal> {
  return andThen(dataAt(reader, position, delivery), (raw) =>
    raw instanceof Refusal ? raw : checkData(reader, type, raw.value),
  );
}

function dataAt(
  reader: EventReader,
  position: number,
  { kind, rawBody, headers }: UnreadDelivery,
): MaybePromise<CheckedData | Refusal> {
  return andThen(parseBody(rawBody, kind, reader), (body) =>
    body instanceof Refusal
      ? body
      : { value: reader.envelope.data({ body: body.value, kind, headers }, position) },
  );
}

/** The parts of a stored event that it is read from. */
export type StoredEvent = Pick<Task, "event" | "delivery" | "position">;

/** The data of a stored event by the schema as it is now. */
export function readStored(
  reader: EventReader,
  { event: { type }, position, delivery }: StoredEvent,
): MaybePromise<CheckedData | Refusal> {
  return readData(reader, { type, position }, unreadOf(delivery));
}

/** A stored event with its data by the schema as it is now, or as it came where it breaks it; undefined where it cannot be read. */
export async function readStoredEvent(
  reader: EventReader,
  { event: { id, type }, position, delivery }: StoredEvent,
): Promise<{ readonly event: WebhookEvent; readonly isInvalid: boolean } | undefined> {
  const raw = await dataAt(reader, position, unreadOf(delivery));
  if (raw instanceof Refusal) return undefined;
  const checked = await checkData(reader, type, raw.value);
  const isInvalid = checked instanceof Refusal;
  return { event: { id, type, data: isInvalid ? raw.value : checked.value }, isInvalid };
}

/** The store keeps the kind as text, and the headers without their types. */
function unreadOf({ bodyKind, rawBody, headers }: StoredEvent["delivery"]): UnreadDelivery {
  return { kind: bodyKind as BodyKind, rawBody, headers: headers as IncomingHttpHeaders };
}
