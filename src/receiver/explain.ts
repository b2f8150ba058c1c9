import type { IncomingHttpHeaders } from "node:http";
import { type Authenticated, authenticate } from "../auth/authenticate.js";
import { TokenMemory } from "../auth/jwt/cache.js";
import { errorEntry, Refusal } from "../errors.js";
import type { OpenedEnvelope } from "../events/extract.js";
import { findSender, type ShadowListener } from "../ip/client-address.js";
import { assertOptions, describe, OptionError } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { CredentialProvider } from "../types/credential.js";
import type { Caller } from "../types/delivery.js";
import type { ExplainedStep, ExplainRequest, Explanation } from "../types/explanation.js";
import type { SignatureMatch } from "../types/signature.js";
import type { BodyKind } from "../types/source.js";
import {
  checkData,
  checkHead,
  type DeliveryPlan,
  handlersOf,
  parseDelivery,
  refuseBody,
  refuseOwner,
  refuseUnknown,
} from "./steps.js";

const stepNames: readonly ExplainedStep["step"][] = [
  "method, address, headers, length",
  "credential",
  "allowlists of the caller",
  "signature",
  "body",
  "handlers",
  "schema",
];

/**
 * Walks a request through the checks of a receiver and says at each what was decided. Nothing is counted, reported,
 * remembered or handled; your own lookups and schemas are called, and a remote key set may be fetched.
 */
export async function explain(plan: DeliveryPlan, request: ExplainRequest): Promise<Explanation> {
  const walk = new Walk(plan.signature !== undefined);
  try {
    await follow(walk, plan, readRequest(request));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  return walk.explanation();
}

/** Ends the walk; the refusal stands in its steps. */
class Refused extends Error {}

class Walk implements ShadowListener {
  readonly #names: readonly ExplainedStep["step"][];
  readonly #steps: ExplainedStep[] = [];
  #refusal: Refusal | undefined;
  #status = 200;
  #whySkipped = "a step before it refused";
  #shadow: string[] = [];

  constructor(signs: boolean) {
    this.#names = stepNames.filter((name) => signs || name !== "signature");
  }

  wouldRefuse(refusal: Refusal): void {
    this.#shadow.push(`would refuse (shadow mode): ${refusal.reason}`);
  }

  /** Notes what a step found; ends the walk where that is a refusal. */
  take<T>(found: T | Refusal, detail: (value: T) => string): T {
    const step = this.#names[this.#steps.length] as ExplainedStep["step"];
    if (found instanceof Refusal) {
      this.#refusal = found;
      this.#steps.push({ step, result: "refused", detail: `${found.code}: ${found.reason}` });
      throw new Refused();
    }
    const shadow = this.#shadow.splice(0);
    this.#steps.push({
      step,
      result: shadow.length > 0 ? "warned" : "passed",
      detail: [detail(found), ...shadow].join("; "),
    });
    return found;
  }

  /** Notes that the request gets its answer before anything of it is checked. */
  answered(status: number, detail: string): void {
    this.#status = status;
    this.#whySkipped = "the request was answered before it";
    this.take(undefined, () => detail);
  }

  /** Ends the walk at this step where something refuses; else the step goes on. */
  probe<T>(found: T | Refusal): T {
    return found instanceof Refusal ? this.take<T>(found, () => "") : found;
  }

  /** The status where nothing refuses. */
  expect(status: number): void {
    this.#status = status;
  }

  /** Notes that a step found fault and the delivery passes nevertheless. */
  warn(detail: string): void {
    this.#shadow.push(detail);
  }

  skip(detail: string): void {
    this.#steps.push({
      step: this.#names[this.#steps.length] as ExplainedStep["step"],
      result: "skipped",
      detail,
    });
  }

  explanation(): Explanation {
    while (this.#steps.length < this.#names.length) this.skip(this.#whySkipped);
    const code = this.#refusal?.code;
    const status = code === undefined ? this.#status : errorEntry(code).status;
    return { status, code, steps: this.#steps };
  }
}

interface ReadRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
  readonly remoteAddress: string | undefined;
  readonly body: Buffer;
}

async function follow(walk: Walk, plan: DeliveryPlan, request: ReadRequest): Promise<void> {
  const { url, headers, rawHeaders, body } = request;
  if (await answerOther(walk, plan, request)) return;
  if (plan.inbox !== undefined) walk.expect(202);
  const sender = findSender(plan.clientAddress, request.remoteAddress, rawHeaders);
  const kind = walk.take<BodyKind>(
    checkHead(plan, request, sender, walk),
    () => `${request.method} from ${sender.text ?? `an unknown address (${sender.fault})`}`,
  );
  const nowMs = plan.clock.now();
  const caller = walk.take<Authenticated>(
    await authenticate(url, rawHeaders, { ...plan.auth, tokens: unremembered(plan) }, nowMs),
    ({ caller: known }) => callerText(known),
  );
  walk.take(refuseOwner(caller, sender, walk), () => listsText(caller));
  const signed = await refuseContent(plan, caller, request);
  // Where bodies are not signed there is no such step.
  if (plan.signature === undefined) walk.probe(signed);
  else walk.take(signed, (found) => `"${printable(found?.keyId ?? "")}" verifies it`);
  const parsed = walk.probe(parseDelivery(plan, { kind, rawBody: body, headers }));
  const answer = plan.source?.handshake?.({ method: "POST", url, headers, body: parsed.body });
  if (answer !== undefined) return walk.answered(answer.status, "the source answers it: it is no event");
  const events = walk.take(
    plan.envelope.open(parsed, body),
    (found) =>
      `${kind}, ${body.length} bytes; ${found.map(({ type, id }) => `type "${printable(type)}", id "${printable(id)}"`).join("; ") || "no event"}`,
  );
  await followEvents(walk, plan, events);
}

/** What is answered before anything of it is checked. */
async function answerOther(walk: Walk, plan: DeliveryPlan, request: ReadRequest): Promise<boolean> {
  const { method, url, headers } = request;
  if (method === "POST") return false;
  const answer = plan.source?.handshake?.({ method, url, headers, body: undefined });
  if (answer !== undefined) walk.answered(answer.status, `the source answers ${method}`);
  else if (method === "OPTIONS") walk.answered(204, "OPTIONS is answered with Allow: POST");
  return answer !== undefined || method === "OPTIONS";
}

/** Length, the token's own word on the body, and the signature. */
async function refuseContent(
  plan: DeliveryPlan,
  caller: Authenticated,
  { method, url, headers, rawHeaders, body }: ReadRequest,
): Promise<SignatureMatch | Refusal | undefined> {
  const { maxBytes } = plan.body;
  if (body.length > maxBytes) {
    return new Refusal("ERR_BODY_TOO_LARGE", `${body.length} bytes are more than body.maxBytes, ${maxBytes}`);
  }
  const request = { method, url, headers, rawHeaders, rawBody: body };
  return refuseBody(caller, request) ?? plan.signature?.(request, plan.clock.now());
}

/** Of several events each is looked at, and told of in one step. */
async function followEvents(
  walk: Walk,
  plan: DeliveryPlan,
  events: readonly OpenedEnvelope[],
): Promise<void> {
  const wanted = events.map((event) => ({ event, handlers: handlersOf(plan, event.type) }));
  const names = [...new Set(wanted.flatMap(({ handlers }) => handlers.map(({ name }) => printable(name))))];
  for (const { event } of wanted) walk.probe(refuseUnknown(plan, event.type));
  walk.take(names, () => (names.length === 0 ? "none for this type: it would be ignored" : names.join(", ")));
  if (names.length === 0) return walk.skip("no handler would get the data");
  for (const { event, handlers } of wanted) {
    if (handlers.length === 0) continue;
    const data = await checkData(plan, event.type, event.data);
    if (!(data instanceof Refusal)) continue;
    if (plan.inbox?.settings.invalid !== "park") return void walk.take(data, () => "");
    walk.warn(data.reason);
    return void walk.take(undefined, () => "it would be kept as a dead letter");
  }
  walk.take(undefined, () => "the data fits its type, or is not checked");
}

/** A memory of its own, so that a token which only was explained is not remembered. */
function unremembered(plan: DeliveryPlan): TokenMemory | undefined {
  const { tokens, credentials } = plan.auth;
  return tokens === undefined ? undefined : new TokenMemory(credentials as CredentialProvider);
}

function callerText(caller: Caller): string {
  if (caller.method === "none") return "anyone is accepted (dangerouslyAcceptAnyone)";
  const service = "service" in caller ? `, service "${printable(caller.service)}"` : "";
  return `${caller.method} "${printable(caller.credentialId)}" of tenant "${printable(caller.tenant)}"${service}`;
}

function listsText({ owner }: Authenticated): string {
  const count = owner?.allowIps.length ?? 0;
  return count === 0 ? "none" : `${count} passed`;
}

function readRequest(request: ExplainRequest): ReadRequest {
  assertOptions(request, ["method", "url", "headers", "remoteAddress", "body"], "explain's request");
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
  return { method, url, remoteAddress, body, headers, rawHeaders };
}

function bytesOf(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === "string" || body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(JSON.stringify(body));
}
