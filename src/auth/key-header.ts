import { OptionError, stringOption } from "../lib/options.js";

/** The header that keys stand in unless configured. */
export const defaultKeyHeader = "key";

/** The lower-case name of the key header; `key` where it was left out. A TypeError says what is wrong with it. */
export function parseKeyHeader(value: unknown, where: string): string {
  if (value === undefined) return defaultKeyHeader;
  const header = stringOption(value, where).toLowerCase();
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(header)) {
    throw new OptionError(where, ` is not a header name (RFC 9110 section 5.1)`);
  }
  if (header === "authorization" || header === "cookie") {
    throw new OptionError(
      where,
      `: a key cannot be sent in "${header}"; use a header of its own, such as "key" or "x-api-key"`,
    );
  }
  return header;
}
