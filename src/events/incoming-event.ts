import type { Refusal } from "../errors.js";
import type { RegisteredHandler } from "./handlers.js";

const nobody: readonly RegisteredHandler[] = Object.freeze([]);

/** An event on its way from the body to the inbox or the handlers. Made as the sender put it; the checks fill in the rest. */
export class IncomingEvent {
  readonly type: string;
  readonly id: string;
  /** The data as the sender put it. */
  readonly data: unknown;
  /** Who wants it. */
  handlers: readonly RegisteredHandler[] = nobody;
  /** What the schema made of the data. Undefined where nobody wants it: then no schema was asked. */
  checkedData: unknown = undefined;
  /** How the data breaks its schema. */
  fault: Refusal | undefined = undefined;

  constructor(type: string, id: string, data: unknown) {
    this.type = type;
    this.id = id;
    this.data = data;
  }
}
