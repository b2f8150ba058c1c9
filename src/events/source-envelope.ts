import { Refusal } from "../errors.js";
import { describe } from "../lib/options.js";
import type { Source, SourceEvent, SourceFault } from "../types/source.js";
import { asId, derivedId, type Envelope } from "./extract.js";
import { IncomingEvent } from "./incoming-event.js";

/** ERR_EVENT_INVALID of what a source could not read, with the source's own word for it. */
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
