import { Refusal } from "../errors.js";
import type { OpenedEnvelope } from "../events/extract.js";
import type { RegisteredHandler } from "../events/handler-options.js";
import { describe } from "../lib/options.js";

/**
 * The order key of an event for a handler; undefined without one. ERR_INTERNAL where `orderBy` throws or returns something
 * else. Data that breaks its schema is given as it came: what goes wrong with it counts as no key.
 */
export function orderKeyOf(
  { name, orderBy }: Pick<RegisteredHandler, "name" | "orderBy">,
  event: OpenedEnvelope,
  isInvalid: boolean,
): string | undefined | Refusal {
  if (orderBy === undefined) return undefined;
  let key: unknown;
  try {
    key = orderBy(event);
  } catch (error) {
    return isInvalid ? undefined : new Refusal("ERR_INTERNAL", `orderBy of handler "${name}" threw`, error);
  }
  if (typeof key === "string") return key;
  if (key === undefined || isInvalid) return undefined;
  const reason = `orderBy of handler "${name}" must return a string or undefined, not ${describe(key)}`;
  return new Refusal("ERR_INTERNAL", reason);
}
