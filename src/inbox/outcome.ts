import { Refusal } from "../errors.js";
import { printable } from "../lib/printable.js";
import type { Acceptance, NewDelivery, NewEvent } from "../types/engine.js";
import type { Outcome } from "../types/outcome.js";
import type { InboxObserver } from "./observer.js";

/**
 * What the sender is told of a delivery that was to be stored: ERR_EVENT_CONFLICT, ERR_TOKEN_INVALID for a token that was
 * used before, ERR_OVERLOADED for a full backlog, ERR_STORE_UNAVAILABLE.
 */
export function judgeAcceptance(delivery: NewDelivery, acceptance: Acceptance | Refusal): Outcome | Refusal {
  if (acceptance instanceof Refusal) return acceptance;
  const { events } = delivery;
  const ids = events.map(({ id }) => id);
  switch (acceptance.status) {
    case "stored":
      return events.every(({ tasks }) => tasks.length === 0)
        ? { status: "ignored", ids, stored: true }
        : { status: "accepted", ids };
    case "duplicate":
      return { status: "duplicate", ids };
    case "conflict":
      return new Refusal(
        "ERR_EVENT_CONFLICT",
        `the event "${printable(acceptance.id)}" was accepted before, with another body; the first one stays`,
      );
    case "replayed":
      return new Refusal(
        "ERR_TOKEN_INVALID",
        "the token was used before, with another delivery (replay)",
        undefined,
        "replay",
      );
    case "full":
      return new Refusal(
        "ERR_OVERLOADED",
        `${acceptance.backlog} tasks wait or run; inbox.maxBacklog is ${delivery.maxBacklog}`,
      );
    default:
      return new Refusal("ERR_INTERNAL", "the inbox's engine answered with what is no acceptance");
  }
}

/** Tells of dead letters among what was stored, and of a repetition with another body. */
export function tellStored(
  delivery: NewDelivery,
  acceptance: Acceptance | Refusal,
  observer: Pick<InboxObserver, "dead" | "note">,
): void {
  if (acceptance instanceof Refusal) return;
  const { events, requestId } = delivery;
  if (acceptance.status === "duplicate" && acceptance.bodyDiffers) {
    const which = events.length === 1 ? "the event" : "events, among them";
    const message = `${which} "${printable(events[0]?.id ?? "")}" came again with another body; the first one stays`;
    observer.note("warn", message, { requestId });
  }
  if (acceptance.status !== "stored") return;
  for (const [at, recordId] of acceptance.recordIds.entries()) {
    // An engine of somebody's own may tell of more records than there are events.
    const event = events[acceptance.positions[at] ?? at];
    if (event !== undefined) tellDead(recordId, event, observer);
  }
}

function tellDead(
  recordId: string,
  { id, type, tasks }: NewEvent,
  observer: Pick<InboxObserver, "dead">,
): void {
  for (const { handler, dead } of tasks) {
    if (dead !== undefined) observer.dead({ recordId, event: { id, type }, handler, attempt: 0 }, dead);
  }
}
