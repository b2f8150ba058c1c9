/** Where the options of a receiver belong, so that one that was written in the wrong place is told its right one. */

/** The options of `createReceiver` itself. */
const ofReceiver = "createReceiver's own options";

/**
 * Options by their place, as a user writes it. Each list is the one that its own file checks; a test holds them together.
 * Names that mean something of their own in several places (`name`, `id`, `key`) are told by the near miss alone.
 */
export const optionPlaces: ReadonlyMap<string, readonly string[]> = new Map([
  [
    ofReceiver,
    [
      ...["name", "events", "auth", "source", "allowIps", "clientAddress", "body", "type", "id", "data"],
      ...[
        "handlerTimeoutMs",
        "maxInProgress",
        "unknownTypes",
        "maxFailuresPerMinute",
        "inbox",
        "logger",
        "hooks",
        "keepStacks",
      ],
      ...["clock", "realm"],
    ],
  ],
  [
    "inbox",
    [
      ...["engine", "workers", "keepHeaders", "deduplicationMs", "maxBacklog", "invalid", "acceptTimeoutMs"],
      ...["leaseMs", "maxAttempts", "retry", "retention"],
    ],
  ],
  ["inbox.retry", ["baseMs", "maxMs"]],
  ["inbox.retention", ["doneMs", "deadMs", "done", "dead"]],
  ["auth", ["serviceKey", "jwt", "credentials", "accept", "keyHeader", "dangerouslyAcceptAnyone"]],
  ["allowIps", ["ranges", "mode", "dangerouslyAllowAnyAddress"]],
  ["clientAddress", ["trustedProxies", "header"]],
  ["body", ["maxBytes", "timeoutMs", "types", "preRead"]],
  [
    "the options of on()",
    ["name", "timeoutMs", "concurrency", "maxAttempts", "retry", "orderBy", "deadHead"],
  ],
]);

/** Names that several places have, each with a meaning of its own, and that say little by themselves. */
const common: ReadonlySet<string> = new Set([
  "name",
  "id",
  "type",
  "data",
  "types",
  "header",
  "mode",
  "done",
  "dead",
]);

/** Where an option of this name belongs, for a message; undefined where it belongs nowhere. */
export function placeHint(name: string): string | undefined {
  if (common.has(name)) return undefined;
  const places = [...optionPlaces].filter(([, names]) => names.includes(name)).map(([place]) => place);
  const [first] = places;
  if (first === undefined) return undefined;
  const belongs = `\`${name}\` belongs in ${places.map(shown).join(", or in ")}`;
  return /^\w+$/.test(first) ? `${belongs}: write \`${first}: { ${name}: … }\`` : belongs;
}

function shown(place: string): string {
  return /^[\w.]+$/.test(place) ? `\`${place}\`` : place;
}
