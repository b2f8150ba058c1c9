import { describe, OptionError } from "../lib/options.js";
import type { BodyKind, Source } from "../types/source.js";

const kinds: readonly BodyKind[] = ["json", "form", "xml", "bytes", "empty"];
const secretHeaders: readonly string[] = ["authorization", "proxy-authorization", "cookie"];

/** Reads the option `source`; undefined where it was left out. TypeError for what is no source. */
export function parseSource<EventMap>(value: unknown, where: string): Source<EventMap> | undefined {
  if (value === undefined) return undefined;
  const source = value as Partial<Source<EventMap>> | null;
  const howTo =
    'give what a source makes, such as github({ secret }) of "hookgate/github", or customSource({ … })';
  if (typeof source !== "object" || source === null || typeof source.events !== "function") {
    throw new OptionError(where, ` must be a source, not ${describe(value)}; ${howTo}`);
  }
  const { name, bodies, headers, deadlineMs, mediaTypes = {} } = source;
  if (typeof name !== "string" || name === "")
    throw new OptionError(`${where}.name`, ` must be a string; ${howTo}`);
  const strange = Array.isArray(bodies)
    ? [...bodies, ...Object.values(mediaTypes)].find((kind) => !kinds.includes(kind))
    : bodies;
  if (!Array.isArray(bodies) || strange !== undefined) {
    throw new OptionError(
      `${where}.bodies`,
      ` must be a list of ${kinds.map((kind) => `"${kind}"`).join(", ")}; ${howTo}`,
    );
  }
  if (typeof deadlineMs !== "number" || !(deadlineMs > 0)) {
    throw new OptionError(
      `${where}.deadlineMs`,
      ` must be a number of milliseconds, not ${describe(deadlineMs)}`,
    );
  }
  assertHeaders(headers, `${where}.headers`);
  return source as Source<EventMap>;
}

/** Stored with each event, hence nothing that lets anybody in. */
function assertHeaders(headers: unknown, where: string): void {
  const isSecret = (name: string): boolean =>
    secretHeaders.some(
      (secret) => secret === name || (name.endsWith("*") && secret.startsWith(name.slice(0, -1))),
    );
  const fits = (name: unknown): boolean =>
    typeof name === "string" && name === name.toLowerCase() && !isSecret(name);
  if (!Array.isArray(headers) || !headers.every(fits)) {
    throw new OptionError(
      where,
      ` must be a list of lower-case header names, none of which holds a credential`,
    );
  }
}
