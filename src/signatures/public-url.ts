import { describe, OptionError } from "../lib/options.js";
import { originForm } from "../lib/request-head.js";

/**
 * Reads the option `publicUrl`: the origin under which senders reach us, which is
 * joined with path and query as they came; or a URL with a path, for a proxy that rewrites paths, which is joined with
 * the query alone. Nothing of it comes from the request's Host or forwarding headers (ATTACKS E26).
 */
export function parsePublicUrl(value: unknown, where: string): ((url: string) => string) | undefined {
  if (value === undefined) return undefined;
  if (
    typeof value !== "string" ||
    !/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/.test(value) ||
    !URL.canParse(value)
  ) {
    throw new OptionError(
      where,
      ` must be an origin or URL such as "https://hooks.example.com", without query, not ${describe(value)}`,
    );
  }
  const scheme = value.indexOf("//") + 2;
  const slash = value.indexOf("/", scheme);
  const isOrigin = slash === -1 || slash === value.length - 1;
  if (!isOrigin) return (url) => `${value}${queryOf(url)}`;
  const origin = slash === -1 ? value : value.slice(0, slash);
  return (url) => `${origin}${originForm(url)}`;
}

function queryOf(url: string): string {
  const mark = url.indexOf("?");
  return mark === -1 ? "" : url.slice(mark);
}
