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
