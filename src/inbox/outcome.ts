import type { Acceptance, NewDelivery } from "../contracts/engine.js";
import type { Outcome } from "../contracts/outcome.js";
import { Refusal } from "../errors.js";
import { printable } from "../lib/printable.js";
import type { InboxObserver } from "./observer.js";

/**
 * What the sender is told of a delivery that was to be stored: ERR_EVENT_CONFLICT, ERR_TOKEN_INVALID for a token that was
 * used before, ERR_OVERLOADED for a full backlog, ERR_STORE_UNAVAILABLE.
 */
export function judgeAcceptance(delivery: NewDelivery, acceptance: Acceptance | Refusal): Outcome | Refusal {
  if (acceptance instanceof Refusal) return acceptance;
  const [event] = delivery.events;
  const id = event?.id ?? "";
  switch (acceptance.status) {
    case "stored":
      return event?.tasks.length === 0 ? { status: "ignored", id, stored: true } : { status: "accepted", id };
    case "duplicate":
      return { status: "duplicate", id };
    case "conflict":
      return new Refusal(
        "ERR_EVENT_CONFLICT",
        `the event "${printable(acceptance.id)}" was accepted before, with another body; the first one stays`,
      );
    case "replayed":
      return new Refusal("ERR_TOKEN_INVALID", "the token was used before, with another delivery (replay)");
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
  const [event] = delivery.events;
  if (event === undefined) return;
  if (acceptance.status === "duplicate" && acceptance.bodyDiffers) {
    const message = `the event "${printable(event.id)}" came again with another body; the first one stays`;
    observer.note("warn", message, { requestId: delivery.requestId });
  }
  const recordId = acceptance.status === "stored" ? acceptance.recordIds[0] : undefined;
  if (recordId === undefined) return;
  const { id, type } = event;
  for (const { handler, dead } of event.tasks) {
    if (dead !== undefined) observer.dead({ recordId, event: { id, type }, handler, attempt: 0 }, dead);
  }
}
