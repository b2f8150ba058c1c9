import type { IncomingHttpHeaders } from "node:http";
import { parseBody } from "../body/parse.js";
import { Refusal } from "../errors.js";
import type { Envelope } from "../events/extract.js";
import type { Catalog, Validation } from "../events/schemas.js";
import { issuePaths } from "../events/schemas.js";
import { andThen } from "../lib/maybe-promise.js";
import type { MaybePromise } from "../types/credential.js";
import type { Task } from "../types/engine.js";
import type { WebhookEvent } from "../types/event.js";
import type { BodyKind, ParsedDelivery } from "../types/source.js";

/** How bytes become events, for what comes in and for what is stored. */
export interface EventReader {
  readonly envelope: Envelope;
  readonly catalog: Catalog;
  /** Whether bodies of JSON are among those that are taken. */
  readonly readsJson: boolean;
}

/** A body as it came, how it is to be read, and the headers beside it. */
export interface UnreadDelivery {
  readonly kind: BodyKind;
  readonly rawBody: Buffer;
  readonly headers: IncomingHttpHeaders;
}

/** The parsed body with the headers, as locators and sources see it. A promise only for XML. */
export function parseDelivery(
  reader: Pick<EventReader, "readsJson">,
  { kind, rawBody, headers }: UnreadDelivery,
): MaybePromise<ParsedDelivery | Refusal> {
  return andThen(parseBody(rawBody, kind, reader), (body) =>
    body instanceof Refusal ? body : { body: body.value, kind, headers },
  );
}

/** Data that passed its schema. */
export interface CheckedData {
  readonly value: unknown;
}

/** Holds data against the schema of its type. A promise only where the schema answers later. */
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

/** What of a stored event says how to read it. */
export type StoredEvent = Pick<Task, "event" | "delivery" | "position">;

/** The data of a stored event by the schema as it is now. A promise only for XML, and where the schema answers later. */
export function readStored(reader: EventReader, stored: StoredEvent): MaybePromise<CheckedData | Refusal> {
  return andThen(rawDataOf(reader, stored), (raw) =>
    raw instanceof Refusal ? raw : checkData(reader, stored.event.type, raw.value),
  );
}

/** A stored event with its data by the schema as it is now, or as it came where it breaks it; undefined where it cannot be read. */
export async function readStoredEvent(
  reader: EventReader,
  stored: StoredEvent,
): Promise<{ readonly event: WebhookEvent; readonly isInvalid: boolean } | undefined> {
  const raw = await rawDataOf(reader, stored);
  if (raw instanceof Refusal) return undefined;
  const { id, type } = stored.event;
  const checked = await checkData(reader, type, raw.value);
  const isInvalid = checked instanceof Refusal;
  return { event: { id, type, data: isInvalid ? raw.value : checked.value }, isInvalid };
}

function rawDataOf(
  reader: EventReader,
  { delivery, position }: StoredEvent,
): MaybePromise<CheckedData | Refusal> {
  const { rawBody } = delivery;
  const headers = delivery.headers as IncomingHttpHeaders;
  const parsed = parseDelivery(reader, { kind: delivery.bodyKind as BodyKind, rawBody, headers });
  return andThen(parsed, (read) =>
    read instanceof Refusal ? read : { value: reader.envelope.data(read, position) },
  );
}
