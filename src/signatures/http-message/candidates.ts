import type { Buffer } from "node:buffer";
import type { SignatureFault } from "../../types/signature.js";
import { type Dictionary, type InnerList, parseDictionary } from "./structured-fields.js";
import { type Fields, fieldLines } from "./values.js";

/** Signatures of one message (ATTACKS F04). */
const mostSignatures = 10;
const longestHeader = 8_192;

/** A signature that was sent. */
export interface Candidate {
  readonly label: string;
  /** The covered components and the parameters. */
  readonly input: InnerList;
  readonly signature: Buffer;
}

/** The signatures of a message; labels must stand in both headers (RFC 9421 section 4). */
export function candidatesOf(fields: Fields): readonly Candidate[] | SignatureFault {
  const inputs = dictionaryOf(fields, "signature-input");
  if ("fault" in inputs) return inputs as SignatureFault;
  const signatures = dictionaryOf(fields, "signature");
  if ("fault" in signatures) return signatures as SignatureFault;
  if (inputs.size !== signatures.size) {
    return malformed("the headers signature and signature-input do not have the same labels");
  }
  if (inputs.size > mostSignatures)
    return malformed(`the message has more than ${mostSignatures} signatures`);
  const candidates: Candidate[] = [];
  for (const [label, input] of inputs) {
    const signature = signatures.get(label);
    if (signature === undefined) {
      return malformed("the headers signature and signature-input do not have the same labels");
    }
    if (!("items" in input)) return malformed("a member of the header signature-input is no inner list");
    if (!("bare" in signature) || signature.bare.type !== "bytes") {
      return malformed("a member of the header signature is no byte sequence");
    }
    candidates.push({ label, input, signature: signature.bare.value });
  }
  return candidates;
}

function dictionaryOf(fields: Fields, name: string): Dictionary | SignatureFault {
  if (!fields.has(name)) {
    return {
      fault: "missing",
      reason: `the header ${name} is missing: the sender does not sign as RFC 9421 says`,
    };
  }
  const text = boundedField(fields, name);
  if (typeof text !== "string") return text;
  const dictionary = parseDictionary(text);
  if ("malformed" in dictionary) {
    return malformed(`the header ${name} is no dictionary: ${dictionary.malformed}`);
  }
  if (dictionary.size === 0) return { fault: "missing", reason: `the header ${name} is empty` };
  return dictionary;
}

/** The lines of a header that is there as one value of bounded length. */
export function boundedField(fields: Fields, name: string): string | SignatureFault {
  const lines = fieldLines(fields, name);
  if ("absent" in lines) return malformed(lines.absent);
  const text = lines.join(", ");
  if (text.length <= longestHeader) return text;
  return malformed(`the header ${name} is longer than ${longestHeader} characters`);
}

function malformed(reason: string): SignatureFault {
  return { fault: "malformed", reason };
}
