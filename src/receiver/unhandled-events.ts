import type { HandlerRegistry } from "../events/handlers.js";
import type { Catalog } from "../events/schemas.js";
import { nearest } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { Reporter } from "./reporter.js";

/** The most types that are named: what senders make up must not fill the memory. */
const mostTypes = 1_000;
/** A longer one is no misspelling, and would take long to compare. */
const longestCompared = 200;

/** Says once of each event type that no handler is registered for it, with the near miss. */
export class UnhandledTypes {
  readonly #catalog: Pick<Catalog, "types">;
  readonly #handlers: Pick<HandlerRegistry, "all" | "types">;
  readonly #reporter: Pick<Reporter, "note">;
  readonly #answer: string;
  readonly #told = new Set<string>();

  /** `answer`: what becomes of the deliveries, for the message. */
  constructor(parts: {
    readonly catalog: Pick<Catalog, "types">;
    readonly handlers: Pick<HandlerRegistry, "all" | "types">;
    readonly reporter: Pick<Reporter, "note">;
    readonly answer: string;
  }) {
    this.#catalog = parts.catalog;
    this.#handlers = parts.handlers;
    this.#reporter = parts.reporter;
    this.#answer = parts.answer;
  }

  /** Logs a type, once. */
  report(type: string): void {
    const name = printable(type);
    if (this.#told.size > mostTypes || this.#told.has(name)) return;
    this.#told.add(name);
    const message =
      this.#told.size > mostTypes
        ? `more than ${mostTypes.toLocaleString("en")} event types have no handler; further ones are not named`
        : `no handler is registered for the event type "${name}"${this.hint(type)}; its deliveries are ${this.#answer}`;
    this.#reporter.note("warn", message, { eventType: name });
  }

  /** ` (did you mean "order.paid"?)`, or nothing. */
  hint(type: string): string {
    if (this.#handlers.all().length === 0) return " (the receiver has no handler at all)";
    if (type.length > longestCompared) return "";
    const near = nearest(
      type,
      [...this.#handlers.types(), ...(this.#catalog.types ?? [])].filter((name) => name !== type),
    );
    return near === undefined ? "" : ` (did you mean "${printable(near)}"?)`;
  }
}

/** What the sender of an event without handlers is answered, for messages. */
export function answerToIgnored(unknownTypes: "ignore" | "refuse", hasInbox: boolean): string {
  if (unknownTypes === "refuse") return "answered 422";
  return hasInbox ? "answered 202 and kept without tasks" : "answered 200 and ignored";
}
