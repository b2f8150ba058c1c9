import { parse } from "content-type";
import { Refusal } from "../errors.js";
import { printable } from "../lib/printable.js";
import { repeated, singleHeader } from "../lib/request-head.js";
import type { BodyKind } from "../types/source.js";

/** The check of one receiver: takes `rawHeaders`, gives the kind of the body or ERR_MEDIA_TYPE. */
export type MediaTypes = (rawHeaders: readonly string[]) => BodyKind | Refusal;

/**
 * A refusal whose cause is the content coding, not the type. Its answer carries `Accept-Encoding: identity`; an
 * answer to any other ERR_MEDIA_TYPE must not (RFC 9110 section 12.5.3).
 */
export class ContentCodingRefusal extends Refusal {}

/** What a header may be, as the operator reads it. */
const accepts: ReadonlyMap<BodyKind, string> = new Map([
  ["json", "application/json or application/*+json"],
  ["form", "application/x-www-form-urlencoded"],
  ["xml", "application/xml, text/xml or application/*+xml"],
]);

/** No honest media type is longer, and it bounds what is remembered. In characters. */
const maxHeaderLength = 256;
const rememberedHeaders = 16;

/**
 * Prepares the check of Content-Type and Content-Encoding for the kinds of body that a receiver accepts
 * (RFC 9110 sections 8.3, 8.4, 15.5.16). It reads `rawHeaders`, because `headers` hides a second line. Required: one
 * line, visible ASCII without comma, `charset` absent or utf-8, no coding but `identity`. The type is never guessed
 * from the body. `further`: types in addition to the usual ones of each kind, in lower case.
 */
export function createMediaTypes(
  accepted: readonly BodyKind[],
  further: Readonly<Record<string, BodyKind>> = {},
): MediaTypes {
  const kinds = new Map(Object.entries(further));
  // A sender repeats its header on each delivery: those that passed are recognised whole.
  const known = new Map<string, BodyKind>();
  return function mediaTypes(rawHeaders) {
    const header = findType(rawHeaders);
    if (typeof header !== "string") return header;
    const remembered = known.get(header);
    if (remembered !== undefined) return remembered;
    const kind = readKind(header, accepted, kinds);
    if (typeof kind === "string") {
      if (known.size >= rememberedHeaders) known.clear();
      known.set(header, kind);
    }
    return kind;
  };
}

/** The only Content-Type line, provided that no content coding is applied. */
function findType(rawHeaders: readonly string[]): string | Refusal {
  const type = singleHeader(rawHeaders, "content-type");
  if (type === repeated) return refuse("repeated", "Content-Type was sent twice; send it once");
  const coding = singleHeader(rawHeaders, "content-encoding");
  if (coding !== undefined && (coding === repeated || coding.toLowerCase() !== "identity")) {
    const named = coding === repeated ? "in several lines" : `"${printable(coding, 40)}"`;
    return new ContentCodingRefusal(
      "ERR_MEDIA_TYPE",
      `content coding ${named} is not accepted; the sender has to send its bodies uncompressed`,
    );
  }
  return type ?? refuse("missing", "Content-Type is missing; the sender has to name the type of its body");
}

function readKind(
  header: string,
  accepted: readonly BodyKind[],
  further: ReadonlyMap<string, BodyKind>,
): BodyKind | Refusal {
  const quoted = printable(header);
  const mediaType = readMediaType(header);
  if (mediaType === undefined)
    return refuse("malformed", `Content-Type "${quoted}" is malformed (RFC 9110 section 8.3.1)`);
  const { type, charset } = mediaType;
  if (charset !== undefined && charset.toLowerCase() !== "utf-8") {
    return refuse("charset", `charset "${printable(charset, 40)}" is not accepted; bodies have to be utf-8`);
  }
  const named = further.get(type);
  if (named !== undefined) return named;
  const kind = kindOf(type);
  if (kind !== undefined && accepted.includes(kind)) return kind;
  const usual = accepted.map((each) => accepts.get(each)).filter((each) => each !== undefined);
  const taken = [...usual, ...further.keys()].join(", ");
  const fix = kind === undefined ? "" : `; to take it, add "${kind}" to body.types`;
  return refuse("type", `Content-Type "${quoted}" is not accepted, only ${taken}${fix}`);
}

function kindOf(type: string): BodyKind | undefined {
  if (type === "application/json") return "json";
  if (type === "application/x-www-form-urlencoded") return "form";
  if (type === "application/xml" || type === "text/xml") return "xml";
  return /^application\/[^/]+\+(json|xml)$/.exec(type)?.[1] as "json" | "xml" | undefined;
}

/** The type of a `Content-Type`, in lower case and without parameters; of what is none, whatever comes before a `;`. */
export function mediaTypeOf(contentType: string): string {
  return parse(contentType, { parameters: false }).type;
}

/**
 * `type "/" subtype` and parameters (RFC 9110 section 8.3.1). Narrower where that costs no sender anything: no tab, no
 * comma, and nothing escaped or separated inside quotes. An empty parameter is legal (section 5.6.6), and
 * "application/json;" is sent in the wild.
 */
const grammar =
  /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+ *(?:; *(?:[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[ !#-+\--:<-[\]-~]*") *)?)*$/;

/** Undefined for what is malformed or names a parameter twice: content-type would read on past both. */
function readMediaType(
  header: string,
): { readonly type: string; readonly charset: string | undefined } | undefined {
  if (header.length > maxHeaderLength || !grammar.test(header)) return undefined;
  const { type, parameters } = parse(header);
  const given = header.match(/; *[^; ]/g)?.length ?? 0;
  return Object.keys(parameters).length === given ? { type, charset: parameters.charset } : undefined;
}

function refuse(fault: string, reason: string): Refusal {
  return new Refusal("ERR_MEDIA_TYPE", reason, undefined, fault);
}
