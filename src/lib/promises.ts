import type { MaybePromise } from "../types/credential.js";
import type { Clock } from "./clock.js";

/** How long something is waited for. */
export interface DeadlineOptions {
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Calls the listener where nobody waits for the answer any more; returns the function that ends that. Left out: never. */
  readonly onGone?: ((listener: () => void) => () => void) | undefined;
}

/**
 * Settles as `pending` does, or with what `give` gives (or throws) where that has no answer at the deadline, or nobody waits
 * for it any more. What `pending` ends in later is nobody's unhandled rejection.
 */
export function withDeadline<T, Late>(
  pending: Promise<T>,
  { clock, deadlineMs, onGone }: DeadlineOptions,
  give: (why: "late" | "gone") => Late,
): Promise<T | Late> {
  return new Promise((resolve, reject) => {
    let forget = (): void => {};
    const end = (): void => {
      cancel();
      forget();
    };
    const giveUp = (why: "late" | "gone"): void => {
      end();
      try {
        resolve(give(why));
      } catch (error) {
        reject(error);
      }
    };
    const cancel = clock.after(deadlineMs, () => giveUp("late"));
    if (onGone !== undefined) forget = onGone(() => giveUp("gone"));
    pending.then(
      (value) => {
        end();
        resolve(value);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });
}

/** Resolves with true when the work has ended, well or not, and with false when the signal aborts before. Never rejects. */
export function endsBefore(signal: AbortSignal | undefined, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const aborted = (): void => resolve(false);
    const ended = (): void => {
      signal?.removeEventListener("abort", aborted);
      resolve(true);
    };
    work.then(ended, ended);
    if (signal?.aborted === true) aborted();
    else signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** Whether a value is still to come. Takes promises of other libraries and realms for promises, too. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** `next` of the value, now or when it is there. */
export function andThen<T, Next>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<Next>,
): MaybePromise<Next> {
  return isPromise(value) ? value.then(next) : next(value);
}
