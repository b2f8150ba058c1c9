import type { ParsedDelivery } from "../contracts/source.js";

/** The only value of a header, in lower case, that says something. */
export function headerOf({ headers }: Pick<ParsedDelivery, "headers">, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A member of parsed data along a path such as `data.object.id`: own members only, undefined where there is none. */
export function memberOf(value: unknown, path: string): unknown {
  let found: unknown = value;
  for (const key of path.split(".")) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** Text along a path; undefined for anything else, and for an empty string. */
export function textOf(value: unknown, path: string): string | undefined {
  const found = memberOf(value, path);
  return typeof found === "string" && found !== "" ? found : undefined;
}
