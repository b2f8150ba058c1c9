import { describe, nearest, OptionError } from "../lib/options.js";
import { quoted, typeNameFault } from "./event-name.js";
import type { Catalog } from "./schemas.js";

/** Which event types a handler is for. */
export interface Matcher {
  /** The name of a handler that is given none. */
  readonly defaultName: string;
  matches(type: string): boolean;
  /** Whether the type is spelled out, not only matched by a pattern. */
  names(type: string): boolean;
  /** The types that are spelled out. */
  readonly types: readonly string[];
}

/** Matches every type. */
export const matchAny: Matcher = Object.freeze({
  defaultName: "*",
  matches: () => true,
  names: () => false,
  types: [],
});

/**
 * The matcher of what `on` was given: an event type, a pattern, or a list of both. `*` stands for one or more
 * segments at the end of a pattern, as in `"order.*"`. Throws a TypeError where something cannot be matched, or
 * never would be because the catalog has no such type.
 */
export function createMatcher(types: unknown, catalog: Catalog): Matcher {
  const given: readonly unknown[] = Array.isArray(types) ? types : [types];
  if (given.length === 0) {
    throw typesError("on([])", " names no event type; name at least one, or use onAny(handler)");
  }
  const exact = new Set<string>();
  const prefixes = new Set<string>();
  for (const name of given) {
    assertName(name, catalog);
    if (name.endsWith("*")) prefixes.add(name.slice(0, -1));
    else exact.add(name);
  }
  const starts = [...prefixes];
  return Object.freeze({
    defaultName: [...new Set(given)].join(","),
    matches: (type: string) => exact.has(type) || starts.some((start) => type.startsWith(start)),
    names: (type: string) => exact.has(type),
    types: [...exact],
  });
}

function assertName(name: unknown, catalog: Catalog): asserts name is string {
  if (typeof name !== "string") {
    throw typesError("on", ` takes an event type, a pattern or a list of them, not ${describe(name)}`);
  }
  const label = `on(${quoted(name)})`;
  const fault = typeNameFault(name);
  if (fault !== undefined) throw typesError(label, `: ${fault}`);
  if (name === "*") throw typesError(label, `: for every event type use onAny(handler)`);
  const star = name.indexOf("*");
  if (star !== -1 && !(star === name.length - 1 && name.endsWith(".*"))) {
    throw typesError(label, `: "*" may stand only for the last segments, as in "order.*"`);
  }
  if (catalog.types !== undefined) assertKnown(name, catalog.types, label);
}

function assertKnown(name: string, types: readonly string[], label: string): void {
  if (name.endsWith("*")) {
    const start = name.slice(0, -1);
    if (types.some((type) => type.startsWith(start))) return;
    const patterns = new Set(types.flatMap(patternsOf));
    throw typesError(label, ` matches no event type in events; ${hint(name, [...patterns], types)}`);
  }
  if (types.includes(name)) return;
  throw typesError(label, `: events has no such type; ${hint(name, types, types)}`);
}

/** A mistake in the first argument of `on`. */
function typesError(label: string, text: string): OptionError {
  return new OptionError(label, text, { option: "types" });
}

/** Every pattern that matches a type: of `a.b.c`, `a.*` and `a.b.*`. */
function patternsOf(type: string): string[] {
  const segments = type.split(".");
  return segments.slice(1).map((_, index) => `${segments.slice(0, index + 1).join(".")}.*`);
}

const listed = 10;

function hint(name: string, candidates: readonly string[], types: readonly string[]): string {
  const near = nearest(name, candidates);
  if (near !== undefined) return `did you mean ${quoted(near)}?`;
  const more = types.length > listed ? `, … (${types.length} in all)` : "";
  return `it has ${types.slice(0, listed).map(quoted).join(", ")}${more}`;
}
