import { acceptedKinds } from "../auth/authenticate.js";
import { printable } from "../lib/printable.js";
import type { CredentialKind } from "../types/credential.js";
import type { ReceiverConfig } from "./options.js";
import { answerToIgnored } from "./reporter.js";

/** What is allowed but rarely intended, each with the fix. */
export function findingsOf(config: ReceiverConfig): readonly string[] {
  return [
    ...unhandledTypes(config),
    ...openDoors(config),
    ...uselessCredentials(config),
    ...notDurable(config),
    ...ofEngine(config),
  ];
}

/** What `start()` logs: the findings, except that an engine made for tests is not durable. */
export function startWarningsOf(config: ReceiverConfig): readonly string[] {
  const intended = config.inbox?.settings.engine.forTests === true ? notDurable(config) : [];
  return findingsOf(config).filter((finding) => !intended.includes(finding));
}

function ofEngine({ inbox }: ReceiverConfig): readonly string[] {
  return inbox?.settings.engine.diagnose?.() ?? [];
}

function notDurable({ inbox }: ReceiverConfig): string[] {
  if (inbox === undefined || inbox.settings.engine.capabilities.durable) return [];
  return [
    'the engine of `inbox` is not durable: deliveries that were answered 202 are lost when the process ends, or may be; outside tests use one that writes to disk, such as sqliteEngine("hooks.db")',
  ];
}

function unhandledTypes(config: ReceiverConfig): string[] {
  const answer = answerToIgnored(config.unknownTypes, config.inbox !== undefined);
  const none =
    config.handlers.all().length > 0
      ? []
      : [`no handler is registered: all deliveries are ${answer}; register one with on()`];
  const types = (config.catalog.types ?? []).filter((type) => config.handlers.handlersFor(type).length === 0);
  return [
    ...none,
    ...types.map(
      (type) =>
        `no handler for the declared event type "${printable(type)}": its deliveries are ${answer}; register one with on(), or take the type out of \`events\``,
    ),
  ];
}

function openDoors(config: ReceiverConfig): string[] {
  const found: string[] = [];
  const provesNothing = config.auth.credentials === undefined && config.signature === undefined;
  if (provesNothing && config.allowIps.length === 0) {
    found.push("anyone may call: `dangerouslyAcceptAnyone` without `allowIps`");
  }
  if (config.allowIps.some(({ mode }) => mode === "shadow")) {
    found.push(
      '`allowIps` is in shadow mode: it refuses nobody; set mode: "enforce" when its reports show no good sender',
    );
  }
  return found;
}

/** Kinds that are accepted although no usable credential of them exists. Only providers that list their credentials can be asked. */
function uselessCredentials(config: ReceiverConfig): string[] {
  const all = listed(config.auth.credentials);
  if (all === undefined) return [];
  const nowMs = config.clock.now();
  const usable = new Set<CredentialKind>();
  for (const { kind, active, expiresAtMs } of all) {
    if (active && nowMs < expiresAtMs) usable.add(kind);
  }
  return acceptedKinds(config.auth)
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

function listed(source: ReceiverConfig["auth"]["credentials"]): readonly Listed[] | undefined {
  const all: unknown = source === undefined ? undefined : Reflect.get(source, "all");
  return Array.isArray(all) ? (all as Listed[]) : undefined;
}
