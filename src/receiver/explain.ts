import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { VerifiedTokenCache } from "../auth/jwt/cache.js";
import { Refusal } from "../errors.js";
import { assertOptions, describe, OptionError, optionKeys } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { CredentialProvider } from "../types/credential.js";
import type { Caller } from "../types/delivery.js";
import type { CheckName, ExplainedStep, ExplainRequest, Explanation } from "../types/explanation.js";
import type { Outcome } from "../types/outcome.js";
import { type Finding, IncomingDelivery } from "./incoming-delivery.js";
import type { ReceiverConfig } from "./options.js";
import { type Check, type Ending, Pipeline } from "./pipeline.js";

/**
 * Takes a request through the checks of a receiver, but for those that look at what else is in progress, and says at each what
 * was decided. Nothing is counted, reported, remembered or handled; your own lookups and schemas are called, and a remote
 * key set may be fetched.
 */
export async function explain(
  config: ReceiverConfig,
  checks: readonly Check<ReceiverConfig>[],
  request: ExplainRequest,
): Promise<Explanation> {
  const req = readRequest(request);
  return new Promise((resolve, reject) => {
    const explainer = new Explainer(config, checks, [resolve, reject]);
    const asked = checks.filter(({ live }) => live !== true);
    const pipeline = new Pipeline(asked, withoutMemory(config), explainer);
    pipeline.run(new IncomingDelivery(pipeline, "explained", req));
  });
}

/** With a cache of its own, so that an explained token is not remembered, and without counting lookups. */
function withoutMemory(config: ReceiverConfig): ReceiverConfig {
  const { auth } = config;
  const tokens = auth.tokens && new VerifiedTokenCache(auth.credentials as CredentialProvider);
  return { ...config, auth: { ...auth, tokens }, rationsLookups: false };
}

/** Notes each check, and makes the explanation at the end. */
class Explainer implements Ending<ReceiverConfig> {
  readonly #config: ReceiverConfig;
  readonly #checks: readonly Check<ReceiverConfig>[];
  readonly #resolve: (explanation: Explanation) => void;
  readonly #reject: (error: unknown) => void;
  readonly #steps = new Map<string, ExplainedStep>();
  readonly #warnings: string[] = [];

  constructor(
    config: ReceiverConfig,
    checks: readonly Check<ReceiverConfig>[],
    [resolve, reject]: readonly [(explanation: Explanation) => void, (error: unknown) => void],
  ) {
    this.#config = config;
    this.#checks = checks;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  wouldRefuse(_delivery: IncomingDelivery, refusal: Refusal): void {
    this.#warnings.push(`would refuse (shadow mode): ${refusal.reason}`);
  }

  passed(delivery: IncomingDelivery, { name }: Check<ReceiverConfig>): void {
    const detail = details.get(name)?.(delivery, this.#config);
    if (name === "schema") this.#warnings.push(...brokenData(delivery));
    const warnings = this.#warnings.splice(0);
    const result = warnings.length > 0 ? "warned" : detail === undefined ? "skipped" : "passed";
    this.#note(name, result, [detail ?? nothingToCheck, ...warnings].join("; "));
  }

  ended(delivery: IncomingDelivery, found: Finding, check: Check<ReceiverConfig> | undefined): void {
    const refusal = found instanceof Refusal ? found : undefined;
    const name = check?.name ?? "";
    if (refusal !== undefined) this.#note(name, "refused", this.#refusalText(refusal, check?.counted));
    else if (found !== undefined) this.#note(name, "answered", answerText(delivery, found as Outcome));
    const outcome = outcomeOf(delivery, found, this.#config);
    this.#resolve({
      status: this.#config.answers.statusOf(outcome, delivery),
      code: refusal?.code,
      steps: this.#checks.map((one) => this.#steps.get(one.name) ?? skipped(one, found, this.#config)),
    });
  }

  threw(_delivery: IncomingDelivery, error: unknown): void {
    this.#reject(error);
  }

  #note(name: string, result: ExplainedStep["result"], detail: string): void {
    this.#steps.set(name, { step: name as CheckName, result, detail });
  }

  #refusalText({ code, reason }: Refusal, counted: true | undefined): string {
    const limited = counted === true && this.#config.failureLimiter !== undefined;
    const limit = limited
      ? "; a live request is answered 429 instead once its address is over maxFailuresPerMinute"
      : "";
    return `${code}: ${reason}${limit}`;
  }
}

/** A check that did not run, and why. */
function skipped(
  { name, live, applies }: Check<ReceiverConfig>,
  found: Finding,
  config: ReceiverConfig,
): ExplainedStep {
  const early = found instanceof Refusal ? "refused" : "answered";
  const detail =
    live === true
      ? "not looked at: depends on what else is in progress; a live request may be answered 503"
      : applies?.(config) === false
        ? nothingToCheck
        : `an earlier check ${early} the request`;
  return { step: name as CheckName, result: "skipped", detail };
}

const nothingToCheck = "nothing to check";

/** What would become of a delivery that every check let pass, if the inbox or the handlers do their part. */
function outcomeOf(delivery: IncomingDelivery, found: Finding, { inbox }: ReceiverConfig): Outcome {
  if (found instanceof Refusal) return { status: "refused", refusal: found };
  if (found !== undefined) return found;
  const ids = delivery.events.map(({ id }) => id);
  const stored = inbox !== undefined;
  if (delivery.events.every(({ handlers }) => handlers.length === 0))
    return { status: "ignored", ids, stored };
  return { status: stored ? "accepted" : "handled", ids };
}

function answerText({ method }: IncomingDelivery, { status }: Outcome): string {
  if (status === "options") return "OPTIONS is answered with Allow: POST";
  if (status === "ignored") return "the delivery has no event";
  return `the source answers ${method === "POST" ? "it: it is no event" : method}`;
}

function brokenData({ events }: IncomingDelivery): readonly string[] {
  const fault = events.find((event) => event.fault !== undefined)?.fault;
  return fault === undefined ? [] : [`${fault.reason}: it would be kept as a dead letter`];
}

type Detail = (delivery: IncomingDelivery, config: ReceiverConfig) => string | undefined;

/** What each check found, in words; undefined where there was nothing to check. */
const details: ReadonlyMap<string, Detail> = new Map<CheckName, Detail>([
  ["method", ({ method }) => method],
  ["address", ({ address, sender }) => `from ${address ?? `an unknown address (${sender.fault})`}`],
  ["headers", ({ rawHeaders }) => `${rawHeaders.length / 2} lines`],
  ["content type", ({ bodyKind }) => bodyKind],
  ["credential", ({ caller }) => callerText(caller)],
  ["owner allowlist", ({ authenticated }) => listsText(authenticated.owner?.allowIps.length ?? 0)],
  ["body", ({ rawBody }) => `${rawBody.length} bytes`],
  ["body hash", ({ authenticated }) => hashText(authenticated.tokenCredential?.policy.bodyHashClaim)],
  ["signature", ({ signedBy }) => signedBy && `"${printable(signedBy)}" verifies it`],
  ["parse", ({ parsed }) => `read as ${parsed.kind}`],
  ["challenge", (_delivery, { source }) => source?.handshake && "it is none"],
  [
    "events",
    ({ events }) =>
      events.map(({ type, id }) => `type "${printable(type)}", id "${printable(id)}"`).join("; "),
  ],
  ["handlers", (delivery) => namesOf(delivery).join(", ") || "none for this type: it would be ignored"],
  [
    "schema",
    (delivery) => (namesOf(delivery).length === 0 ? undefined : "the data fits its type, or is not checked"),
  ],
]);

function callerText(caller: Caller): string {
  if (caller.method === "none") return "anyone is accepted (dangerouslyAcceptAnyone)";
  const service = "service" in caller ? `, service "${printable(caller.service)}"` : "";
  return `${caller.method} "${printable(caller.credentialId)}" of tenant "${printable(caller.tenant)}"${service}`;
}

function listsText(count: number): string | undefined {
  return count === 0 ? undefined : `${count} passed`;
}

function hashText(claim: string | undefined): string | undefined {
  return claim && `the claim "${printable(claim)}" is that of this body`;
}

function namesOf({ events }: IncomingDelivery): readonly string[] {
  return [...new Set(events.flatMap(({ handlers }) => handlers.map(({ name }) => printable(name))))];
}

const requestNames = optionKeys<ExplainRequest>({
  method: true,
  url: true,
  headers: true,
  remoteAddress: true,
  body: true,
});

/** The request as Node's server would hand it out, its body still to be read. */
function readRequest(request: ExplainRequest): IncomingMessage {
  assertOptions(request, requestNames, "explain's request");
  const given: ExplainRequest = request;
  const { method = "POST", url = "/", remoteAddress } = given;
  const body = bytesOf(given.body);
  const rawHeaders: string[] = [];
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(given.headers ?? {})) {
    const lines = typeof value === "string" ? [value] : value;
    if (!Array.isArray(lines) || !lines.every((line) => typeof line === "string")) {
      throw new OptionError(
        "explain's request",
        `: the header "${printable(name)}" must be a string or a list, not ${describe(value)}`,
      );
    }
    for (const line of lines) rawHeaders.push(name, line);
    headers[name.toLowerCase()] = lines.join(", ");
  }
  // As any sender has to: a body is announced, or comes in chunks.
  if (body.length > 0 && headers["transfer-encoding"] === undefined) {
    headers["content-length"] ??= String(body.length);
  }
  const bytes = Readable.from([body], { objectMode: false });
  const head = { method, url, headers, rawHeaders, socket: { remoteAddress } };
  return Object.assign(bytes, head) as unknown as IncomingMessage;
}

function bytesOf(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === "string" || body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(JSON.stringify(body));
}
