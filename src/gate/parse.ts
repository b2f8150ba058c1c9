import type { BodyKind } from "../contracts/source.js";
import { Refusal } from "../errors.js";
import { parseForm } from "./form.js";
import { parseStrictJsonBytes } from "./strict-json.js";
import { readXml } from "./xml.js";

/**
 * What a body says, read as the kind that its content type named; or a Refusal with ERR_BODY_MALFORMED (also for an
 * empty body) or, for a token in a form, ERR_CREDENTIAL_REPEATED. See `parseStrictJson`, `parseForm`
 * and `readXml`. Of `bytes` the value is a copy, of `empty` undefined.
 */
export function parseBody(rawBody: Buffer, kind: BodyKind): { readonly value: unknown } | Refusal {
  if (kind === "empty") return { value: undefined };
  if (kind === "bytes") return { value: Buffer.from(rawBody) };
  if (isBlank(rawBody)) {
    const what = rawBody.length === 0 ? "is empty" : "holds nothing but white space";
    return new Refusal("ERR_BODY_MALFORMED", `the body ${what}`);
  }
  if (kind === "form") return parseForm(rawBody);
  if (kind === "xml") return readXml(rawBody);
  const json = parseStrictJsonBytes(rawBody);
  return json.ok ? json : new Refusal("ERR_BODY_MALFORMED", `the body ${json.reason}`);
}

/** Stops at the first byte that says something: for all but hostile bodies, the first. */
function isBlank(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}
