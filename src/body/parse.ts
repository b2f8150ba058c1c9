import { Refusal } from "../errors.js";
import { decodeUtf8, parseJson, parseStrictJsonBytes } from "../lib/json.js";
import { onFirstUse } from "../lib/module-loading.js";
import type { MaybePromise } from "../types/credential.js";
import type { BodyKind } from "../types/source.js";

/** The value of a body, or why there is none. */
export type ParsedBody = { readonly value: unknown } | Refusal;

/** Loaded with the first body of XML: few senders write it. */
const loadXml = onFirstUse(() => import("./xml.js"));

/**
 * Parses a body as the kind that its content type named; or a Refusal with ERR_BODY_MALFORMED (also for an empty body) or, for
 * a token in a form, ERR_CREDENTIAL_REPEATED. See `parseStrictJson`, `parseForm` and `readXml`. A promise for XML only. The
 * value of `bytes` is a copy, that of `empty` is undefined. `readsJson`: the receiver reads JSON as well. Then a form or XML
 * that could be JSON is refused: the content type is not signed, so anyone who recorded signed JSON could send it again as the
 * other kind, and text inside it would become fields.
 */
export function parseBody(
  rawBody: Buffer,
  kind: BodyKind,
  { readsJson }: { readonly readsJson: boolean },
): MaybePromise<ParsedBody> {
  if (kind === "empty") return { value: undefined };
  if (kind === "bytes") return { value: Buffer.from(rawBody) };
  if (isBlank(rawBody)) {
    const what = rawBody.length === 0 ? "is empty" : "contains only white space";
    return new Refusal("ERR_BODY_MALFORMED", `the body ${what}`);
  }
  if (kind !== "json") {
    const name = kind === "form" ? "a form" : "XML";
    if (readsJson && mayBeJson(rawBody)) {
      return new Refusal("ERR_BODY_MALFORMED", `the body is JSON or begins like it, and was sent as ${name}`);
    }
    return kind === "form" ? parseForm(rawBody) : loadXml().then(({ readXml }) => readXml(rawBody));
  }
  const json = parseStrictJsonBytes(rawBody);
  return json.ok ? json : new Refusal("ERR_BODY_MALFORMED", `the body ${json.reason}`);
}

/** Whether a body begins like an object, a list or a string of JSON, or is a number or literal of JSON. */
function mayBeJson(rawBody: Buffer): boolean {
  const text = rawBody.toString("utf8");
  const start = /^[ \t\n\r]*(?:([{["])|-?[0-9]|true|false|null)/.exec(text);
  if (start === null) return false;
  if (start[1] !== undefined) return true;
  try {
    parseJson(text);
    return true;
  } catch {
    return false;
  }
}

/** Stops at the first byte that is not white space: for all but hostile bodies, the first. */
function isBlank(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}

/** More fields than this are refused: no webhook has them, and each costs more than its bytes. */
const maxFormFields = 1000;

/**
 * Parses `application/x-www-form-urlencoded` (WHATWG URL section 5.1) into an object of own members: a string per
 * name, or an array of strings in their order where a name is repeated. Names are never taken apart (`a[b]` is a
 * name), and `__proto__` is a name like any other. Refuses with ERR_BODY_MALFORMED: bytes that are not UTF-8, plain
 * or percent-encoded; a `%` without two hex digits; a byte order mark; more than 1,000 fields. Refuses with
 * ERR_CREDENTIAL_REPEATED a field `access_token` (RFC 6750 section 2.2): tokens belong in `Authorization`.
 */
export function parseForm(bytes: Uint8Array): { readonly value: Record<string, unknown> } | Refusal {
  const text = decodeUtf8(bytes);
  if (text === undefined) return malformedForm("is not valid UTF-8");
  if (text.charCodeAt(0) === 0xfeff) return malformedForm("starts with a byte order mark (U+FEFF)");
  const fields = new Map<string, string | string[]>();
  let count = 0;
  for (let start = 0; start < text.length; ) {
    const next = text.indexOf("&", start);
    const end = next < 0 ? text.length : next;
    if (end > start) {
      if (++count > maxFormFields) return malformedForm(`has more than ${maxFormFields} fields`);
      const field = readField(text.slice(start, end));
      if (field === undefined)
        return malformedForm(`has a field with broken percent-encoding at character ${start}`);
      add(fields, field);
    }
    start = end + 1;
  }
  if (fields.has("access_token")) {
    return new Refusal(
      "ERR_CREDENTIAL_REPEATED",
      "the form has a field access_token; a token is only taken from the Authorization header (RFC 6750 section 2.2)",
    );
  }
  // fromEntries defines members rather than assigning them, so that "__proto__" stays data.
  return { value: Object.fromEntries(fields) };
}

function readField(field: string): readonly [name: string, value: string] | undefined {
  const equals = field.indexOf("=");
  try {
    if (equals < 0) return [decode(field), ""];
    return [decode(field.slice(0, equals)), decode(field.slice(equals + 1))];
  } catch {
    return undefined;
  }
}

/** Throws URIError for a broken `%` and for percent-encoded bytes that are not UTF-8. */
function decode(text: string): string {
  // Measured: replaceAll takes five times as long for a body that is all plus signs.
  return decodeURIComponent(text.replace(/\+/g, " "));
}

function add(fields: Map<string, string | string[]>, [name, value]: readonly [string, string]): void {
  const before = fields.get(name);
  if (before === undefined) fields.set(name, value);
  else if (typeof before === "string") fields.set(name, [before, value]);
  else before.push(value);
}

function malformedForm(what: string): Refusal {
  return new Refusal("ERR_BODY_MALFORMED", `the body ${what}`);
}
