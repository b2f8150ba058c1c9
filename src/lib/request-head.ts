/** What `singleHeader` gives for a header that came more than once. */
export const repeated: unique symbol = Symbol("repeated");

/**
 * The value of a header that may come once, out of names and values in turn; undefined where it did not come. Node's own
 * `headers` keeps the first of some repeated headers and says nothing. `name` is in lower case.
 */
export function singleHeader(
  rawHeaders: readonly string[],
  name: string,
): string | typeof repeated | undefined {
  let value: string | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const candidate = rawHeaders[at] as string;
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    if (value !== undefined) return repeated;
    value = rawHeaders[at + 1] as string;
  }
  return value;
}

/** Whether text is the name of a header (a token of RFC 9110 section 5.6.2), in lower case. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(text);
}

/** The origin form (RFC 9112 section 3.2.1) of a request's target: of the absolute form, what follows the authority. */
export function originForm(target: string): string {
  if (target.startsWith("/")) return target;
  const authority = /^https?:\/\/[^/?#]*/i.exec(target);
  const rest = authority === null ? target : target.slice(authority[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/**
 * Path and query with the names of the query's members alone: `/hooks?a=1&b=2` is `/hooks?a&b`. Their values may be secret,
 * and nothing needs those of a stored delivery.
 */
export function withoutQueryValues(url: string): string {
  const mark = url.indexOf("?");
  if (mark === -1) return url;
  const names = url
    .slice(mark + 1)
    .split("&")
    .map((pair) => pair.split("=", 1)[0]);
  return `${url.slice(0, mark)}?${names.join("&")}`;
}
