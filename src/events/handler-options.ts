import type { Duration } from "../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  durationOption,
  numberOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../lib/options.js";
import type { Handler, WebhookEvent } from "../types/event.js";
import { parseRetry, type RetryOptions, type RetryPolicy } from "./retry-policy.js";

/** Options of a handler. */
export interface HandlerOptions {
  /** Stable name of 1 to 200 characters, unique in the receiver. Default: the types it is registered for, joined by ",". */
  readonly name?: string | undefined;
  /** How long one run may take, "1ms" to "24h". Default: the receiver's `handlerTimeout`. */
  readonly timeout?: Duration | undefined;
  /**
   * Runs that may be in progress at once, 1 to 1,000,000. Without an inbox a delivery beyond them is answered 503, and
   * the default is no limit; with one its task waits in the store, and the default is 20, in each process.
   */
  readonly concurrency?: number | undefined;
}

/** Options of a handler whose runs are tasks of an inbox. */
export interface TaskOptions<Event = WebhookEvent> extends HandlerOptions {
  /** Attempts after which a task is a dead letter, 1 to 10,000. Default: the inbox's. */
  readonly maxAttempts?: number | undefined;
  /** When a failed task is tried again. Default: the inbox's. */
  readonly retry?: RetryOptions | undefined;
  /**
   * What happens to later tasks of the same ordering key after a dead letter. "continue": they run. "block":
   * they wait until it is replayed, dropped or purged. Default: "continue".
   */
  readonly onDeadLetter?: "continue" | "block" | undefined;
  /**
   * Where the engine is ordered: tasks of this handler under one key run one at a time, in the order of their
   * acceptance; undefined: in any order. Called when the event is accepted. Data that breaks its schema is given as it
   * came, and what `orderingKey` throws for it counts as no key.
   */
  readonly orderingKey?: ((event: Event) => string | undefined) | undefined;
}

/** A handler as it was registered. */
export interface RegisteredHandler {
  readonly name: string;
  readonly handler: Handler;
  /** Undefined: the receiver's time limit applies. */
  readonly timeoutMs: number | undefined;
  /** `Infinity`: no limit. */
  readonly concurrency: number;
  /** Undefined: the inbox's. */
  readonly maxAttempts: number | undefined;
  /** Undefined: the inbox's. */
  readonly retry: RetryPolicy | undefined;
  readonly onDeadLetter: "continue" | "block";
  readonly orderingKey: ((event: WebhookEvent) => unknown) | undefined;
  /** Runs in progress. A run past its deadline no longer counts. */
  readonly load: { running: number };
}

/** What holds for handlers that are run from an inbox. */
export interface TaskRules {
  /** Whether the engine keeps an order. */
  readonly ordered: boolean;
}

/** Bounds of every option that limits the time of a handler. */
export const handlerTimeoutBounds = { min: "1ms", max: "24h" } as const;

/** Bounds of `maxAttempts`. */
export const attemptBounds = { min: 1, max: 10_000, integer: true } as const;

const taskOptions = ["maxAttempts", "retry", "orderingKey", "onDeadLetter"] as const;
const optionNames = optionKeys<TaskOptions>({
  name: true,
  timeout: true,
  concurrency: true,
  maxAttempts: true,
  retry: true,
  orderingKey: true,
  onDeadLetter: true,
});
const concurrencyBounds = { min: 1, max: 1_000_000, integer: true } as const;

/** Checks a handler and its options. Throws a TypeError that names the option and the fix; `label` stands before it. */
export function readHandler(
  label: string,
  defaultName: string,
  handler: unknown,
  given: { readonly options: unknown; readonly tasks: TaskRules | undefined },
): RegisteredHandler {
  if (typeof handler !== "function") {
    throw new OptionError(label, `: the handler must be a function, not ${describe(handler)}`, {
      option: "handler",
    });
  }
  const options: unknown = given.options === undefined ? {} : given.options;
  assertOptions(options, optionNames, `${label} options`);
  const name = own(options, "name");
  return Object.freeze({
    name: name === undefined ? defaultName : readName(name, `${label} name`),
    handler: handler as Handler,
    timeoutMs: readTimeout(own(options, "timeout"), `${label} timeout`),
    concurrency: readConcurrency(own(options, "concurrency"), `${label} concurrency`, given.tasks),
    ...readTaskOptions(label, options, given.tasks),
    load: { running: 0 },
  });
}

type TaskPolicy = Pick<RegisteredHandler, (typeof taskOptions)[number]>;

function readTaskOptions(
  label: string,
  options: Record<string, unknown>,
  tasks: TaskRules | undefined,
): TaskPolicy {
  const given = taskOptions.find((option) => own(options, option) !== undefined);
  if (tasks === undefined && given !== undefined) {
    throw new OptionError(
      `${label} ${given}`,
      ` is for handlers that are run from an inbox; give createReceiver one (\`inbox\`), or leave it out`,
    );
  }
  const maxAttempts = own(options, "maxAttempts");
  return {
    maxAttempts:
      maxAttempts === undefined
        ? undefined
        : numberOption(maxAttempts, `${label} maxAttempts`, {
            ...attemptBounds,
            fallback: attemptBounds.max,
          }),
    retry: parseRetry(own(options, "retry"), `${label} retry`),
    onDeadLetter: choiceOption(
      own(options, "onDeadLetter"),
      `${label} onDeadLetter`,
      ["continue", "block"],
      "continue",
    ),
    orderingKey: readOrderingKey(own(options, "orderingKey"), label, tasks),
  };
}

function readOrderingKey(
  value: unknown,
  label: string,
  tasks: TaskRules | undefined,
): TaskPolicy["orderingKey"] {
  if (value === undefined) return undefined;
  if (typeof value !== "function") {
    throw new OptionError(
      `${label} orderingKey`,
      ` must be a function that returns an event's key, not ${describe(value)}`,
    );
  }
  if (tasks?.ordered !== true) {
    throw new OptionError(
      `${label} orderingKey`,
      `: the inbox's engine does not support ordering; leave it out, or use another engine`,
    );
  }
  return value as TaskPolicy["orderingKey"];
}

function readConcurrency(value: unknown, where: string, tasks: TaskRules | undefined): number {
  if (value === undefined && tasks === undefined) return Number.POSITIVE_INFINITY;
  return numberOption(value, where, { ...concurrencyBounds, fallback: 20 });
}

function readTimeout(value: unknown, where: string): number | undefined {
  if (value === undefined) return undefined;
  return durationOption(value, where, { ...handlerTimeoutBounds, fallback: handlerTimeoutBounds.max });
}

/** Names end up in logs, metrics and stores, hence no control characters and a bound. */
function readName(value: unknown, where: string): string {
  const name = stringOption(value, where);
  if (name.length > 200 || /\p{Cc}/u.test(name)) {
    throw new OptionError(where, ` must have at most 200 characters and no control characters`);
  }
  return name;
}
