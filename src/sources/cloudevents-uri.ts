/** The parts of a URI reference (RFC 3986 appendix B): scheme, authority, path, query, fragment. Linear. */
const parts = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;

const schemeRule = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const authorityRule =
  /^(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?(?:\[[0-9A-Fa-fvV:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/;
const pathRule = /^(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$/;
const queryRule = /^(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/;

/** Whether text is a URI reference that says something (RFC 3986 section 4.1). White space is in none. */
export function isUriReference(text: string): boolean {
  return text !== "" && schemeOf(text) !== undefined;
}

/** Whether text is an absolute URI (RFC 3986 section 3). A fragment is let pass: schemas are named with one. */
export function isAbsoluteUri(text: string): boolean {
  const scheme = schemeOf(text);
  return scheme !== undefined && scheme !== "";
}

/** The scheme of a URI reference, "" where it is relative; undefined for what is none. */
function schemeOf(text: string): string | undefined {
  const [, scheme = "", authority = "", path = "", query = "", fragment = ""] = parts.exec(text) ?? [];
  // What stands before the first colon of a relative path would read as a scheme, so it has to be one (section 4.2).
  if (scheme !== "" && !schemeRule.test(scheme)) return undefined;
  const holds =
    !text.startsWith(":") &&
    authorityRule.test(authority) &&
    pathRule.test(path) &&
    queryRule.test(query) &&
    queryRule.test(fragment);
  return holds ? scheme : undefined;
}
