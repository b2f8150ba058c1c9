import { OptionError, own } from "../lib/options.js";
import type {
  HeaderScheme,
  SignatureFault,
  SignedAlternatives,
  SignedContent,
  SignedRequest,
} from "../types/signature.js";

/** What a scheme reads in addition to the signature. */
export interface SignedParts {
  readonly timestamp: string | undefined;
  readonly id: string | undefined;
}

/** The pieces of the signed content, in their order. */
export type ContentOf = (
  request: SignedRequest,
  parts: SignedParts,
) => SignedContent | SignedAlternatives | SignatureFault;

type Piece =
  | { readonly text: string }
  | { readonly name: "body" | "timestamp" | "id" | "url" | "method" }
  | { readonly header: string };

/**
 * Prepares what `signed` names. A value from a header must not hold the text that ends it in the template: two
 * different messages would be signed alike (ATTACKS F05). TypeError for placeholders that the scheme cannot fill.
 */
export function compileSigned(scheme: HeaderScheme, hasTimestamp: boolean, where: string): ContentOf {
  const { signed } = scheme;
  if (typeof signed === "function") return (request) => signed(request);
  const pieces = parseTemplate(signed, `${where}.signed`);
  const uses = (name: string): boolean => pieces.some((piece) => "name" in piece && piece.name === name);
  if (!uses("body")) throw new OptionError(`${where}.signed`, ` leaves out {body}: any body would pass`);
  if (uses("timestamp") && !hasTimestamp)
    throw new OptionError(`${where}.signed`, ` has a {timestamp} that no header provides`);
  if (hasTimestamp && !uses("timestamp")) {
    throw new OptionError(`${where}.signed`, ` leaves out {timestamp}: it could be replaced at will`);
  }
  if (uses("id") && scheme.headers.some((set) => set.id === undefined)) {
    throw new OptionError(`${where}.signed`, ` has an {id} that no header provides`);
  }
  if (uses("url") && scheme.publicUrl === undefined) {
    throw new OptionError(
      `${where}.publicUrl`,
      ` is missing: the URL is signed, so give the URL that the sender calls`,
    );
  }
  if (pieces.length === 1) return ({ rawBody }) => [rawBody];
  return (request, parts) => {
    const content: (string | Uint8Array)[] = [];
    for (const [at, piece] of pieces.entries()) {
      const value = contentOfPiece(piece, request, parts);
      if (typeof value === "object" && "fault" in value) return value;
      const next = pieces[at + 1];
      if (typeof value === "string" && isFromHeader(piece) && next !== undefined && "text" in next) {
        // Together with what follows: `a-` before `--` ends one character too early.
        if (`${value}${next.text}`.indexOf(next.text) !== value.length) {
          return {
            fault: "malformed",
            reason: `a signed header holds "${next.text}", which ends it in what is signed`,
          };
        }
      }
      content.push(value);
    }
    return content;
  };
}

function isFromHeader(piece: Piece): boolean {
  return "header" in piece || ("name" in piece && (piece.name === "id" || piece.name === "timestamp"));
}

function contentOfPiece(
  piece: Piece,
  { method, publicUrl, headers, rawBody }: SignedRequest,
  { timestamp = "", id = "" }: SignedParts,
): string | Uint8Array | SignatureFault {
  if ("text" in piece) return piece.text;
  if ("header" in piece) {
    const value = own(headers, piece.header);
    if (typeof value === "string") return value;
    return { fault: "missing", reason: `the header ${piece.header} is missing, which is signed` };
  }
  switch (piece.name) {
    case "body":
      return rawBody;
    case "timestamp":
      return timestamp;
    case "id":
      return id;
    case "url":
      return publicUrl as string;
    case "method":
      return method;
  }
}

const names = ["body", "timestamp", "id", "url", "method"] as const;

function parseTemplate(template: unknown, where: string): readonly Piece[] {
  if (typeof template !== "string" || template === "") {
    throw new OptionError(where, ` must be a template such as "{timestamp}.{body}", or a function`);
  }
  // Split keeps what is in brackets: text and placeholders in turn.
  return template.split(/\{([^{}]*)\}/).flatMap((part, at): Piece[] => {
    if (at % 2 === 0) {
      if (/[{}]/.test(part)) throw new OptionError(where, ` has an unmatched brace`);
      return part === "" ? [] : [{ text: part }];
    }
    const name = names.find((known) => known === part);
    if (name !== undefined) return [{ name }];
    if (/^header:[!#$%&'*+\-.^_`|~0-9a-zA-Z]+$/.test(part)) return [{ header: part.slice(7).toLowerCase() }];
    const known = [...names, "header:NAME"].map((each) => `{${each}}`).join(", ");
    throw new OptionError(where, ` has the unknown placeholder {${part}}; the placeholders are ${known}`);
  });
}
