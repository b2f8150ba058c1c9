import { createMediaTypes } from "../../../src/body/media-type.js";
import { parseBody } from "../../../src/body/parse.js";
import { readXml } from "../../../src/body/xml.js";
import type { ParsedDelivery, Source, SourceEvent } from "../../../src/types/source.js";

/** A delivery as the gate hands it to a source: kind by the content type, body parsed strictly. */
export function deliver(
  source: Pick<Source, "bodies" | "mediaTypes">,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
): ParsedDelivery {
  const lower = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  if (body.length === 0) return { body: undefined, kind: "empty", headers: lower };
  const kind = createMediaTypes(source.bodies, source.mediaTypes)(Object.entries(headers).flat());
  if (typeof kind !== "string") throw kind.toError();
  const bytes = Buffer.from(body);
  const parsed = kind === "xml" ? readXml(bytes) : parseBody(bytes, kind, { readsJson: true });
  if (parsed instanceof Promise) throw new Error("only XML is read later");
  if (!("value" in parsed)) throw parsed.toError();
  return { body: parsed.value, kind, headers: lower };
}

/** The events of a delivery that has no fault. */
export function eventsOf(
  source: Source,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
): readonly SourceEvent[] {
  const found = source.events(deliver(source, headers, body));
  if ("fault" in found) throw new Error(found.fault);
  return found;
}

/** What is wrong with a delivery; undefined: nothing. */
export function faultOf(
  source: Source,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
): string | undefined {
  const found = source.events(deliver(source, headers, body));
  return "fault" in found ? found.fault : undefined;
}

/** The headers of the smallest event in binary mode. */
export const binaryHeaders = {
  "ce-specversion": "1.0",
  "ce-id": "1",
  "ce-source": "/context",
  "ce-type": "com.example.someevent",
} as const;

export const structuredHeaders = { "content-type": "application/cloudevents+json" } as const;
export const batchHeaders = { "content-type": "application/cloudevents-batch+json" } as const;

/** The members of the smallest event in structured mode. */
export const smallest = {
  specversion: "1.0",
  id: "1",
  source: "/context",
  type: "com.example.someevent",
} as const;
