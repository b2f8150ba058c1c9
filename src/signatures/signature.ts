import { Refusal } from "../errors.js";
import { OptionError, own } from "../lib/options.js";
import { isPromise } from "../lib/promises.js";
import type { MaybePromise } from "../types/credential.js";
import type {
  CheckSignature,
  SignatureFault,
  SignatureMatch,
  SignatureScheme,
  SignedRequest,
} from "../types/signature.js";
import { createHeaderCheck } from "./header-signature.js";
import { parsePublicUrl } from "./public-url.js";

/** A request as it came, with its body. */
export type UnsignedRequest = Omit<SignedRequest, "publicUrl"> & { readonly publicUrl?: undefined };

/** ERR_SIGNATURE_INVALID, with which of the faults it was. */
export class SignatureRefusal extends Refusal {
  declare readonly fault: SignatureFault["fault"];

  constructor({ fault, reason }: SignatureFault) {
    super("ERR_SIGNATURE_INVALID", reason, undefined, fault);
  }
}

/** The signature check of a receiver: the key that verified, or ERR_SIGNATURE_INVALID (ATTACKS F). */
export type SignatureGate = (
  request: UnsignedRequest,
  nowMs: number,
) => MaybePromise<SignatureMatch | Refusal>;

/** Prepares the check of a scheme. Throws a TypeError for a scheme that cannot be meant; `where` names its option. */
export function createSignatureGate(scheme: SignatureScheme, where: string): SignatureGate {
  const check = checkOf(scheme, where);
  const urlOf = parsePublicUrl(own(scheme, "publicUrl"), `${where}.publicUrl`);
  return (request, nowMs) => {
    const altered = bodyFault(request);
    if (altered !== undefined) return altered;
    // A copy only where there is something to add.
    const known = urlOf === undefined ? request : { ...request, publicUrl: urlOf(request.url) };
    const found = check(known, nowMs);
    return isPromise(found) ? found.then(settle) : settle(found);
  };
}

function checkOf(scheme: SignatureScheme, where: string): CheckSignature {
  switch (scheme.kind) {
    case "header":
      return createHeaderCheck(scheme, where);
    case "custom":
      return (request, nowMs) => scheme.verify(request, nowMs);
    case "http-message":
      if (typeof scheme.createCheck === "function") return scheme.createCheck(scheme, where);
      throw new OptionError(
        `${where}.createCheck`,
        " is missing: give createMessageCheck, which hookgate/http-signature exports",
      );
    default:
      throw new OptionError(`${where}.kind`, ` must be "header", "http-message" or "custom"`);
  }
}

/** Fail closed: what is neither a match nor a fault is a bug in somebody's check (ATTACKS A34). */
function settle(found: SignatureMatch | SignatureFault): SignatureMatch | Refusal {
  if (typeof found === "object" && found !== null) {
    if ("fault" in found) return new SignatureRefusal(found);
    if (typeof found.keyId === "string") return found;
  }
  return new Refusal("ERR_INTERNAL", "the source's signature check gave neither a key's id nor a fault");
}

/** A body that is not as long as was announced was changed on its way through the app. */
function bodyFault({ headers, rawBody }: UnsignedRequest): Refusal | undefined {
  const announced = own(headers, "content-length");
  if (announced === undefined || Number(announced) === rawBody.length) return undefined;
  return new Refusal(
    "ERR_BODY_CONSUMED",
    `the sender announced ${announced} bytes and ${rawBody.length} are here: an earlier middleware changed the body. ` +
      "Mount the receiver before it, or let it keep the bytes as they came (body.rawBodyFrom)",
  );
}
