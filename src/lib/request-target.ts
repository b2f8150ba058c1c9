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
