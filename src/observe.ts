import { channel } from "node:diagnostics_channel";
import type { CredentialSource, SourceReport } from "./contracts/credential.js";
import type { Caller } from "./contracts/delivery.js";
import type { TaskError } from "./contracts/engine.js";
import type { Logger } from "./contracts/logger.js";
import type {
  AcceptedReport,
  FailedReport,
  HandlerRun,
  Hooks,
  RefusedReport,
  ReplayedReport,
  ReportedTask,
} from "./contracts/report.js";
import { type AnyHookgateError, type ErrorCode, errorEntry, type Refusal } from "./errors.js";
import { SignatureRefusal } from "./gate/signature.js";
import type { Clock } from "./lib/clock.js";
import { isPromise } from "./lib/maybe-promise.js";
import { MinuteCounts } from "./lib/minute-counts.js";
import { assertOptions, describe, OptionError } from "./lib/options.js";
import { printable } from "./lib/printable.js";
import { stderrLogger } from "./lib/stderr-logger.js";

/** The parts of a refusal that are known wherever it happens. */
export interface RefusedRequest {
  readonly requestId: string;
  readonly method: string;
  readonly address: string | undefined;
}

/** Tells hooks, `node:diagnostics_channel` (`hookgate:accepted` …) and the logger. */
export interface Observer {
  readonly logger: Logger;
  accepted(
    delivery: Pick<AcceptedReport, "requestId" | "address" | "caller" | "signedBy">,
    event: AcceptedReport["event"],
  ): void;
  refused(request: RefusedRequest, refusal: Refusal, enforced: boolean): void;
  handled(run: HandlerRun): void;
  failed(run: HandlerRun, code: FailedReport["code"], error: AnyHookgateError): void;
  claimed(task: ReportedTask): void;
  retried(task: ReportedTask, delayMs: number, error: TaskError): void;
  dead(task: ReportedTask, error: TaskError): void;
  replayed(report: Omit<ReplayedReport, "receiver">): void;
  /** Says what is not tied to one delivery: a credentials file that cannot be read, a late rejection. */
  note(level: "warn" | "error", message: string, details: object): void;
}

const hookNames = [
  "accepted",
  "refused",
  "handled",
  "failed",
  "claimed",
  "retried",
  "dead",
  "replayed",
] as const;

const channels = {
  accepted: channel("hookgate:accepted"),
  refused: channel("hookgate:refused"),
  handled: channel("hookgate:handled"),
  failed: channel("hookgate:failed"),
  claimed: channel("hookgate:claimed"),
  retried: channel("hookgate:retried"),
  dead: channel("hookgate:dead"),
  replayed: channel("hookgate:replayed"),
};

/** Checks the options `logger` and `hooks` and joins them. Without a logger: standard error, see `stderrLogger`. */
export function createObserver(options: {
  readonly name: string;
  readonly logger: unknown;
  readonly hooks: unknown;
  readonly clock: Clock;
  readonly where: string;
}): Observer {
  const { name, clock, where } = options;
  const hooks = parseHooks(options.hooks, `${where}.hooks`);
  const given = parseLogger(options.logger, `${where}.logger`);
  const logger = unbreakable(given ?? stderrLogger(clock));
  const refusals = given === undefined ? new MinuteCounts(clock) : undefined;

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
          logger.error({ error, receiver: name }, `the hook "${kind}" rejected`),
        );
      }
    } catch (error) {
      logger.error({ error, receiver: name }, `the hook "${kind}" threw`);
    }
  };

  const listens = (kind: (typeof hookNames)[number]): boolean =>
    hooks[kind] !== undefined || channels[kind].hasSubscribers;
  // Standard error gets warnings and above; what is below need not be put together.
  const logsDebug = given !== undefined && given.isLevelEnabled?.("debug") !== false;

  return {
    logger,
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
      // What is wrong with a signature is told by its fault: who mended one waits for the next.
      const fault = refusal instanceof SignatureRefusal ? ` ${refusal.fault}` : "";
      const kind = `${refusal.code}${fault} ${enforced}`;
      if (refusals?.counted(kind) === true) return;
      const level = errorEntry(refusal.code).status >= 500 ? "error" : "warn";
      const verb = enforced ? "refused" : "would refuse (shadow mode)";
      const message = `${verb} ${refusal.code}: ${refusal.reason}`;
      logger[level]({ receiver: name, code: refusal.code, ...request, ...loggedCause(refusal) }, message);
      refusals?.open(kind, (more) => {
        logger[level]({}, `${more} more like this within a minute: ${message}`);
      });
    },
    handled(run) {
      if (listens("handled")) tell("handled", { receiver: name, ...run });
      if (logsDebug) logger.debug({ receiver: name, ...loggedRun(run) }, "handled");
    },
    failed(run, code, error) {
      if (listens("failed")) tell("failed", { receiver: name, ...run, code, error });
      logger.error({ receiver: name, ...loggedRun(run), code, error }, `handler failed ${code}`);
    },
    claimed(task) {
      if (listens("claimed")) tell("claimed", { receiver: name, ...task });
    },
    retried(task, delayMs, error) {
      if (listens("retried")) tell("retried", { receiver: name, ...task, delayMs, error });
      if (logsDebug) logger.debug({ receiver: name, ...loggedRun(task), delayMs }, "to be tried again");
    },
    dead(task, error) {
      if (listens("dead")) tell("dead", { receiver: name, ...task, error });
      logger.error({ receiver: name, ...loggedRun(task), error }, `dead letter: ${error.message}`);
    },
    replayed(report) {
      if (listens("replayed")) tell("replayed", { receiver: name, ...report });
    },
    note: (level, message, details) => logger[level]({ receiver: name, ...details }, message),
  };
}

/** Passes on to the log what a credential source has to say, and returns the function that ends it. */
export function observeSource(source: CredentialSource | undefined, observer: Observer): () => void {
  const note = ({ level, message, details }: SourceReport): void => observer.note(level, message, details);
  return source?.observe?.(note) ?? (() => {});
}

/** A class for the sake of its getter: in an object literal that would cost a hidden class per report. */
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

/** Only an Error is worth a line; schema issues may quote the body. */
function loggedCause(refusal: Refusal): object {
  return refusal.cause instanceof Error ? { error: refusal.cause } : {};
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
  return { debug: guarded("debug"), info: guarded("info"), warn: guarded("warn"), error: guarded("error") };
}
