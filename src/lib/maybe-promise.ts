import type { MaybePromise } from "../types/credential.js";

/** Whether a value is still to come. Takes promises of other libraries and realms for promises, too. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
