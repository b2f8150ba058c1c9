import { acceptedKinds } from "../auth/authenticate.js";
import { printable } from "../lib/printable.js";
import type { CredentialKind } from "../types/credential.js";
import type { DeliveryPlan } from "./steps.js";
import { answerToIgnored } from "./unhandled-events.js";

/** What is allowed and seldom meant, each with what to do about it. Nothing of a request is needed. */
export function findingsOf(plan: DeliveryPlan): readonly string[] {
  return [
    ...unhandledTypes(plan),
    ...openDoors(plan),
    ...uselessCredentials(plan),
    ...notDurable(plan),
    ...ofEngine(plan),
  ];
}

/** What `start()` logs: the findings. That an engine made for tests is not durable is meant. */
export function startWarningsOf(plan: DeliveryPlan): readonly string[] {
  const meant = plan.inbox?.settings.engine.forTests === true ? notDurable(plan) : [];
  return findingsOf(plan).filter((finding) => !meant.includes(finding));
}

function ofEngine({ inbox }: DeliveryPlan): readonly string[] {
  return inbox?.settings.engine.findings?.() ?? [];
}

function notDurable({ inbox }: DeliveryPlan): string[] {
  if (inbox === undefined || inbox.settings.engine.capabilities.durable) return [];
  return [
    'the engine of `inbox` is not durable: deliveries that were answered 202 are lost when the process ends, or may be; outside tests use one that writes to disk, such as sqliteEngine("hooks.db")',
  ];
}

function unhandledTypes(plan: DeliveryPlan): string[] {
  const answer = answerToIgnored(plan.unknownTypes, plan.inbox !== undefined);
  const none =
    plan.handlers.all().length > 0
      ? []
      : [`no handler is registered: all deliveries are ${answer}; register one with on()`];
  const types = (plan.catalog.types ?? []).filter((type) => plan.handlers.handlersFor(type).length === 0);
  return [
    ...none,
    ...types.map(
      (type) =>
        `no handler for the declared event type "${printable(type)}": its deliveries are ${answer}; register one with on(), or take the type out of \`events\``,
    ),
  ];
}

function openDoors(plan: DeliveryPlan): string[] {
  const found: string[] = [];
  const provesNothing = plan.auth.credentials === undefined && plan.signature === undefined;
  if (provesNothing && plan.allowIps.length === 0) {
    found.push("anyone may call: `dangerouslyAcceptAnyone` without `allowIps`");
  }
  if (plan.allowIps.some(({ mode }) => mode === "shadow")) {
    found.push(
      '`allowIps` is in shadow mode: it refuses nobody; set mode: "enforce" when its reports show no good sender',
    );
  }
  return found;
}

/** A kind that is accepted, while nobody holds a usable credential of it. Only sources that list theirs can be asked. */
function uselessCredentials(plan: DeliveryPlan): string[] {
  const all = listed(plan.auth.credentials);
  if (all === undefined) return [];
  const nowMs = plan.clock.now();
  const usable = new Set<CredentialKind>();
  for (const { kind, active, expiresAtMs } of all) {
    if (active && nowMs < expiresAtMs) usable.add(kind);
  }
  return acceptedKinds(plan.auth)
    .filter((kind) => !usable.has(kind))
    .map(
      (kind) =>
        `"${kind}" is accepted, and no credential of that kind is active: add one, or take it out of \`accept\``,
    );
}

interface Listed {
  readonly kind: CredentialKind;
  readonly active: boolean;
  readonly expiresAtMs: number;
}

function listed(source: DeliveryPlan["auth"]["credentials"]): readonly Listed[] | undefined {
  const all: unknown = source === undefined ? undefined : Reflect.get(source, "all");
  return Array.isArray(all) ? (all as Listed[]) : undefined;
}
