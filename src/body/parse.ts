import { Refusal } from "../errors.js";
import { parseJson } from "../lib/json.js";
import { parseStrictJsonBytes } from "../lib/strict-json.js";
import type { BodyKind } from "../types/source.js";
import { parseForm } from "./form.js";
import { readXml } from "./xml.js";

/**
 * What a body says, read as the kind that its content type named; or a Refusal with ERR_BODY_MALFORMED (also for an
 * empty body) or, for a token in a form, ERR_CREDENTIAL_REPEATED. See `parseStrictJson`, `parseForm`
 * and `readXml`. Of `bytes` the value is a copy, of `empty` undefined. `readsJson`: the receiver reads JSON, too. Then a
 * form or XML that could be JSON is refused: the content type is not signed, so whoever recorded signed JSON could send it
 * again as the other kind, and text inside it would become fields.
 */
export function parseBody(
  rawBody: Buffer,
  kind: BodyKind,
  { readsJson }: { readonly readsJson: boolean },
): { readonly value: unknown } | Refusal {
  if (kind === "empty") return { value: undefined };
  if (kind === "bytes") return { value: Buffer.from(rawBody) };
  if (isBlank(rawBody)) {
    const what = rawBody.length === 0 ? "is empty" : "holds nothing but white space";
    return new Refusal("ERR_BODY_MALFORMED", `the body ${what}`);
  }
  if (kind !== "json") {
    const name = kind === "form" ? "a form" : "XML";
    if (readsJson && mayBeJson(rawBody)) {
      return new Refusal("ERR_BODY_MALFORMED", `the body is JSON or begins like it, and was sent as ${name}`);
    }
    return kind === "form" ? parseForm(rawBody) : readXml(rawBody);
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

/** Stops at the first byte that says something: for all but hostile bodies, the first. */
function isBlank(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}
