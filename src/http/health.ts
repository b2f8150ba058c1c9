import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  assertOptions,
  choiceOption,
  describe,
  flagOption,
  OptionError,
  optionKeys,
  own,
} from "../lib/options.js";
import type { ReceiverHealth } from "../types/health.js";
import { assertCalled } from "./middleware.js";
import { jsonAnswer, type PreparedAnswer, prepareAnswer, sendAnswer } from "./send-response.js";

/** The part of a receiver that is used. */
export interface HealthyReceiver {
  /** Resolves with the health of the receiver. */
  health(): Promise<ReceiverHealth>;
}

/** Options of `healthHandler`. */
export interface HealthHandlerOptions {
  /** "ready": whether deliveries are taken. "live": false if the process must be restarted. Default: "ready". */
  readonly probe?: "ready" | "live" | undefined;
  /** `true` adds the status of every check. Use it only on a port that is not public: it tells what is failing. Default: false. */
  readonly details?: boolean | undefined;
}

/** What the answer says: well, and not. */
const words = { ready: ["ready", "unready"], live: ["live", "not live"] } as const;

/** Milliseconds for which one look answers everybody who asks: a probe of the store is a write. */
const freshMs = 1_000;

const wrongMethod = prepareAnswer({ status: 405, headers: { Allow: "GET, HEAD" } });

/**
 * Answers 200 `{"status":"ready"}` if the receiver, or every one of several, is ready, otherwise 503
 * `{"status":"unready"}`, without a reason, path or number. Requests within a second share one check of the store.
 *
 * @example
 * app.get("/health", healthHandler(receiver));
 */
export function healthHandler(
  receivers: HealthyReceiver | readonly HealthyReceiver[],
  options: HealthHandlerOptions = {},
): (req: IncomingMessage, res: ServerResponse) => void {
  const where = "healthHandler";
  assertCalled(receivers, where, 'app.get("/health", healthHandler(receiver))');
  const list = (Array.isArray(receivers) ? receivers : [receivers]) as readonly HealthyReceiver[];
  for (const receiver of list) assertHealthy(receiver, `${where}'s receiver`);
  assertOptions(options, optionKeys<HealthHandlerOptions>({ probe: true, details: true }), where);
  const probe = choiceOption(own(options, "probe"), `${where}.probe`, ["ready", "live"], "ready");
  const details = flagOption(own(options, "details"), `${where}.details`);
  let look: { readonly atMs: number; readonly answer: Promise<PreparedAnswer> } | undefined;
  return function health(req, res) {
    const requestId = randomUUID();
    if (req.method !== "GET" && req.method !== "HEAD") {
      sendAnswer(res, wrongMethod, { requestId });
      return;
    }
    const nowMs = performance.now();
    if (look === undefined || nowMs - look.atMs >= freshMs) {
      look = { atMs: nowMs, answer: answerOf(list, probe, details) };
    }
    void look.answer.then((answer) => sendAnswer(res, answer, { requestId }));
  };
}

/** Never rejects: who cannot tell is not well. */
async function answerOf(
  receivers: readonly HealthyReceiver[],
  probe: "ready" | "live",
  details: boolean,
): Promise<PreparedAnswer> {
  const [good, bad] = words[probe];
  try {
    const all = await Promise.all(receivers.map((receiver) => receiver.health()));
    const well = all.every((health) => health[probe]);
    const status = well ? good : bad;
    return jsonAnswer(well ? 200 : 503, details ? { status, receivers: all.map(statusesOf) } : { status });
  } catch {
    return jsonAnswer(503, { status: bad });
  }
}

/** Words alone: the reasons may hold paths. */
function statusesOf({ live, ready, checks }: ReceiverHealth): object {
  const statuses: Record<string, string> = {};
  for (const [name, check] of Object.entries(checks)) if (check !== undefined) statuses[name] = check.status;
  return { live, ready, checks: statuses };
}

function assertHealthy(value: unknown, where: string): void {
  const health: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, "health") : undefined;
  if (typeof health !== "function") {
    throw new OptionError(where, ` must be what createReceiver returned, not ${describe(value)}`);
  }
}
