import { channel } from "node:diagnostics_channel";
import { type AnyHookgateError, type ErrorCode, errorEntry, type Refusal } from "../errors.js";
import type { HandlerRegistry } from "../events/handlers.js";
import type { Catalog } from "../events/schemas.js";
import type { Clock } from "../lib/clock.js";
import { spanOf } from "../lib/duration.js";
import { errorFrom, errorText, isError, keptError, taskErrorOf } from "../lib/kept-error.js";
import { MinuteCounts } from "../lib/minute-counts.js";
import { assertOptions, describe, nearest, OptionError, optionKeys } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { isPromise } from "../lib/promises.js";
import { stderrLogger } from "../telemetry/logger.js";
import type { CredentialProvider, CredentialReport } from "../types/credential.js";
import type { Caller } from "../types/delivery.js";
import type {
  AcceptedReport,
  HandlerRun,
  Hooks,
  IgnoredReport,
  InboxReporter,
  Logger,
  NextAttempt,
  RefusedReport,
} from "../types/report.js";

/** The parts of a refusal that are known wherever it happens. */
export interface RefusedRequest {
  readonly requestId: string;
  readonly method: string;
  readonly address: string | undefined;
}

/** Tells hooks, `node:diagnostics_channel` (`hookgate:accepted` …) and the logger. */
export interface Reporter extends InboxReporter {
  accepted(
    delivery: Pick<AcceptedReport, "requestId" | "address" | "caller" | "signedBy">,
    event: AcceptedReport["event"],
  ): void;
  refused(request: RefusedRequest, refusal: Refusal, enforced: boolean): void;
  /** `stored`: an inbox keeps it nevertheless. */
  ignored(requestId: string, event: IgnoredReport["event"], stored: boolean): void;
  /**
   * Says what is not tied to one delivery: a credentials file that cannot be read, a late rejection. Of `err`, and of any
   * other Error among the details, only what `taskErrorOf` keeps is logged.
   */
  note(level: "warn" | "error", message: string, details: object): void;
  /** Without a logger: says once that the receiver takes deliveries, and what is logged. */
  announce(facts: string): void;
  /** Called with every delivery that was not refused; undefined without a terminal. */
  readonly delivered: ((delivered: Delivered) => void) | undefined;
}

/** A delivery that has its outcome, for the line that a terminal shows. */
export interface Delivered {
  readonly status: string;
  readonly requestId: string;
  readonly address: string | undefined;
  readonly events: readonly { readonly type: string; readonly id: string }[];
  readonly tookMs: number;
}

const hookNames = optionKeys<Hooks>({
  accepted: true,
  refused: true,
  ignored: true,
  handled: true,
  failed: true,
  claimed: true,
  retried: true,
  dead: true,
  replayed: true,
  storeFailed: true,
  storeRecovered: true,
});

const channels = {
  accepted: channel("hookgate:accepted"),
  refused: channel("hookgate:refused"),
  ignored: channel("hookgate:ignored"),
  handled: channel("hookgate:handled"),
  failed: channel("hookgate:failed"),
  claimed: channel("hookgate:claimed"),
  retried: channel("hookgate:retried"),
  dead: channel("hookgate:dead"),
  replayed: channel("hookgate:replayed"),
  storeFailed: channel("hookgate:storeFailed"),
  storeRecovered: channel("hookgate:storeRecovered"),
};

/** Checks the options `logger` and `hooks` and joins them. Without a logger: standard error, see `stderrLogger`. */
export function createReporter(options: {
  readonly name: string;
  readonly logger: unknown;
  readonly hooks: unknown;
  /** Whether kept errors have their stack. */
  readonly keepStacks: boolean;
  readonly clock: Clock;
  readonly where: string;
}): Reporter {
  const { name, clock, where, keepStacks } = options;
  const hooks = parseHooks(options.hooks, `${where}.hooks`);
  const given = parseLogger(options.logger, `${where}.logger`);
  const text = given === undefined ? stderrLogger(clock) : undefined;
  const logger = unbreakable(given ?? (text as Logger));
  const refusals = given === undefined ? refusalCounts(clock) : undefined;
  const kept = (thrown: unknown): Error => keptError(thrown, keepStacks);

  const tell = <K extends (typeof hookNames)[number]>(
    kind: K,
    report: Parameters<NonNullable<Hooks[K]>>[0],
  ): void => {
    if (channels[kind].hasSubscribers) channels[kind].publish(report);
    const hook = hooks[kind] as ((report: unknown) => unknown) | undefined;
    if (hook === undefined) return;
    try {
      const result = hook(report);
      if (isPromise(result)) {
        Promise.resolve(result).catch((error: unknown) =>
          logger.error({ err: kept(error), receiver: name }, `the hook "${kind}" rejected`),
        );
      }
    } catch (error) {
      logger.error({ err: kept(error), receiver: name }, `the hook "${kind}" threw`);
    }
  };

  const listens = (kind: (typeof hookNames)[number]): boolean =>
    hooks[kind] !== undefined || channels[kind].hasSubscribers;
  // Standard error gets warnings and above; what is below need not be put together.
  const logsDebug = given !== undefined && given.isLevelEnabled?.("debug") !== false;

  return {
    logger,
    keepStacks,
    accepted({ requestId, address, caller, signedBy }, { id, type }) {
      if (listens("accepted")) {
        tell("accepted", { receiver: name, requestId, address, caller, signedBy, event: { id, type } });
      }
      if (logsDebug) {
        const who = { ...loggedCaller(caller), ...(signedBy === undefined ? {} : { signedBy }) };
        logger.debug(
          { receiver: name, requestId, address, ...loggedEvent({ id, type }), ...who },
          "accepted",
        );
      }
    },
    refused(request, refusal, enforced) {
      if (listens("refused")) {
        tell("refused", new Refused(name, request, refusal, enforced));
      }
      const { code, fault, reason } = refusal;
      const level = errorEntry(code).status >= 500 ? "error" : "warn";
      const key = `${name} ${code} ${fault} ${enforced}`;
      if (refusals?.passes(key, () => ({ receiver: name, code, fault, enforced, level })) === false) return;
      const verb = enforced ? "refused" : "would refuse (shadow mode)";
      const err = isError(refusal.cause) ? { err: kept(refusal.cause) } : {};
      const cause = fault === "" ? {} : { fault };
      logger[level]({ receiver: name, code, ...cause, ...request, ...err }, `${verb} ${code}: ${reason}`);
    },
    ignored(requestId, { id, type }, stored) {
      if (listens("ignored")) tell("ignored", { receiver: name, requestId, event: { id, type }, stored });
    },
    handled(run) {
      if (listens("handled")) tell("handled", { receiver: name, ...run });
      if (logsDebug) logger.debug({ receiver: name, ...loggedRun(run) }, "handled");
    },
    failed(run, code, error, next) {
      if (listens("failed")) tell("failed", { receiver: name, ...run, code, error });
      const thrown = taskErrorOf(code === "ERR_HANDLER_FAILED" ? error.cause : error, keepStacks);
      const level = next?.delayMs === undefined ? "error" : "warn";
      const details = { receiver: name, ...loggedRun(run), code, err: errorFrom(thrown) };
      const what = `handler "${printable(run.handler)}" failed${attemptText(run.attempt, next)}`;
      logger[level](details, `${what}: ${errorText(thrown, 300)}`);
    },
    claimed(task) {
      if (listens("claimed")) tell("claimed", { receiver: name, ...task });
    },
    retried(task, delayMs, error) {
      if (listens("retried")) tell("retried", { receiver: name, ...task, delayMs, error });
    },
    dead(task, error, ran = false) {
      if (listens("dead")) tell("dead", { receiver: name, ...task, error });
      if (ran) return;
      const message = `dead letter of handler "${printable(task.handler)}": ${errorText(error, 300)}`;
      logger.error({ receiver: name, ...loggedRun(task), err: errorFrom(error) }, message);
    },
    replayed(report) {
      if (listens("replayed")) tell("replayed", { receiver: name, ...report });
    },
    storeFailed(error) {
      if (listens("storeFailed")) tell("storeFailed", { receiver: name, error });
    },
    storeRecovered(downMs) {
      if (listens("storeRecovered")) tell("storeRecovered", { receiver: name, downMs });
    },
    note: (level, message, details) =>
      logger[level]({ receiver: name, ...keptDetails(details, kept) }, message),
    announce(facts) {
      const levels =
        text?.terminal === true
          ? ""
          : "; only warnings and errors are logged from here on, give a `logger` for the rest";
      text?.announce(`receiver "${printable(name)}" takes deliveries: ${facts}${levels}`);
    },
    delivered:
      text?.terminal !== true
        ? undefined
        : ({ status, requestId, address, events, tookMs }) => {
            const message = `${status}${eventsText(events)} from ${address ?? "an unknown address"} in ${spanOf(tookMs)}`;
            logger.info({ receiver: name, requestId }, message);
          },
  };
}

/** Which attempt failed, and when the next one comes; empty without an inbox. */
function attemptText(attempt: number, next: NextAttempt | undefined): string {
  if (next === undefined) return "";
  const { maxAttempts, delayMs } = next;
  const then = delayMs === undefined ? "dead letter" : `next in ${spanOf(delayMs)}`;
  return ` (attempt ${attempt} of ${maxAttempts}, ${then})`;
}

function eventsText(events: Delivered["events"]): string {
  const [first] = events;
  if (first === undefined) return "";
  const more = events.length > 1 ? ` and ${events.length - 1} more` : "";
  return ` ${printable(first.type)} "${printable(first.id)}"${more}`;
}

/** Errors in the form in which they are kept, the one that it is about under the name that pino looks for. */
function keptDetails(details: object, kept: (thrown: unknown) => Error): object {
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => {
      const isMain = name === "err" || name === "error";
      return [isMain ? "err" : name, isMain || isError(value) ? kept(value) : value];
    }),
  );
}

/** What is counted as one. */
interface RefusalKind extends Pick<Refusal, "code" | "fault"> {
  readonly receiver: string;
  readonly enforced: boolean;
  readonly level: "warn" | "error";
}

/** Standard error belongs to the process: all receivers on one clock share the lines of its minute. */
const countsByClock = new WeakMap<Clock, MinuteCounts<RefusalKind>>();

function refusalCounts(clock: Clock): MinuteCounts<RefusalKind> {
  const known = countsByClock.get(clock);
  if (known !== undefined) return known;
  const log = stderrLogger(clock);
  const counts = new MinuteCounts<RefusalKind>(clock, (kind, more) => {
    if (kind === undefined) {
      log.warn(
        { more },
        `${more} more refused within a minute, with too many receivers and causes to count them separately (other)`,
      );
      return;
    }
    const { receiver, code, fault, enforced, level } = kind;
    const what = enforced ? "refused with" : "would have been refused (shadow mode) with";
    const cause = fault === "" ? "" : ` (${fault})`;
    const message = `receiver "${printable(receiver)}": ${more} more ${what} ${code}${cause} within a minute`;
    log[level]({ receiver, code, ...(fault === "" ? {} : { fault }), more }, message);
  });
  countsByClock.set(clock, counts);
  return counts;
}

/** Passes on to the log what a credential source has to say, and returns the function that ends it. */
export function observeCredentials(source: CredentialProvider | undefined, reporter: Reporter): () => void {
  const note = ({ level, message, details }: CredentialReport): void =>
    reporter.note(level, message, details);
  return source?.observe?.(note) ?? (() => {});
}

/** A class because of its getter: in an object literal, each report would have a hidden class of its own. */
class Refused implements RefusedReport {
  readonly receiver: string;
  readonly requestId: string;
  readonly code: ErrorCode;
  readonly status: number;
  readonly reason: string;
  readonly address: string | undefined;
  readonly method: string;
  readonly enforced: boolean;
  readonly #refusal: Refusal;
  #error: AnyHookgateError | undefined;

  constructor(receiver: string, request: RefusedRequest, refusal: Refusal, enforced: boolean) {
    this.receiver = receiver;
    this.requestId = request.requestId;
    this.code = refusal.code;
    this.status = errorEntry(refusal.code).status;
    this.reason = refusal.reason;
    this.address = request.address;
    this.method = request.method;
    this.enforced = enforced;
    this.#refusal = refusal;
  }

  get error(): AnyHookgateError {
    this.#error ??= this.#refusal.toError();
    return this.#error;
  }
}

function loggedEvent(event: { readonly id: string; readonly type: string }): object {
  return { eventId: printable(event.id), eventType: printable(event.type) };
}

function loggedRun({ event, ...run }: Pick<HandlerRun, "event">): object {
  return { ...run, ...loggedEvent(event) };
}

/** Claims stay out of the log: they may hold personal data. */
function loggedCaller(caller: Caller): object {
  if (caller.method === "none") return { method: "none" };
  return { method: caller.method, tenant: caller.tenant, credentialId: caller.credentialId };
}

function parseHooks(value: unknown, where: string): Hooks {
  if (value === undefined) return {};
  assertOptions(value, hookNames, where);
  for (const name of hookNames) {
    const hook = Object.hasOwn(value, name) ? value[name] : undefined;
    if (hook !== undefined && typeof hook !== "function") {
      throw new OptionError(`${where}.${name}`, ` must be a function, not ${describe(hook)}`);
    }
  }
  return { ...(value as Hooks) };
}

function parseLogger(value: unknown, where: string): Logger | undefined {
  if (value === undefined) return undefined;
  const methods = ["debug", "info", "warn", "error"] as const;
  const missing = methods.filter((m) => typeof (value as Record<string, unknown> | null)?.[m] !== "function");
  if (missing.length > 0) {
    throw new OptionError(
      where,
      ` must have the methods debug, info, warn and error, as pino and console have; missing: ${missing.join(", ")}`,
    );
  }
  return value as Logger;
}

/** A logger that throws must not take a delivery with it. */
function unbreakable(logger: Logger): Logger {
  const guarded =
    (level: "debug" | "info" | "warn" | "error") =>
    (details: object, message: string): void => {
      try {
        logger[level](details, message);
      } catch {
        // There is nowhere left to say it.
      }
    };
  return {
    debug: guarded("debug"),
    info: guarded("info"),
    warn: guarded("warn"),
    error: guarded("error"),
    ...(typeof logger.isLevelEnabled === "function"
      ? { isLevelEnabled: (level: string) => logger.isLevelEnabled?.(level) !== false }
      : {}),
  };
}

/** The most types that are named: what senders make up must not fill the memory. */
const mostTypes = 1_000;
/** A longer type is hardly a misspelling, and slow to compare. */
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

/** How the sender of an event without handlers is answered, for messages. */
export function answerToIgnored(unknownTypes: "ignore" | "refuse", hasInbox: boolean): string {
  if (unknownTypes === "refuse") return "answered 422";
  return hasInbox ? "answered 202 and kept without tasks" : "answered 200 and ignored";
}
