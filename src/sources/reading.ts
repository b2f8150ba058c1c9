import { isObject, memberAt } from "../lib/members.js";
import type { ParsedDelivery } from "../types/source.js";

/** The only value of a header, in lower case, that says something. */
export function headerOf({ headers }: Pick<ParsedDelivery, "headers">, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A member of parsed data along a path such as `data.object.id`: own members only, undefined where there is none. */
export function memberOf(value: unknown, path: string): unknown {
  return memberAt(value, path.split("."));
}

/** Text along a path; undefined for anything else, and for an empty string. */
export function textOf(value: unknown, path: string): string | undefined {
  const found = memberOf(value, path);
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** A copy with one member along a path; what is no object on the way becomes one. */
export function withMember(value: unknown, path: string, member: unknown): Record<string, unknown> {
  const [name = "", ...rest] = path.split(".");
  const before = isObject(value) ? value : {};
  const inner = rest.length === 0 ? member : withMember(memberOf(before, name), rest.join("."), member);
  // fromEntries defines members, so that "__proto__" stays one.
  return Object.fromEntries([...Object.entries(before).filter(([key]) => key !== name), [name, inner]]);
}
