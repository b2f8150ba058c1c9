import { Buffer } from "node:buffer";
import type { Duration } from "../../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../../lib/options.js";
import { isPromise } from "../../lib/promises.js";
import { isHeaderName } from "../../lib/request-head.js";
import { createSignatureGate } from "../../signatures/signature.js";
import {
  parsePublicKeys,
  parseSecrets,
  type SigningPublicKeys,
  type SigningSecrets,
} from "../../signatures/signing-keys.js";
import type { MaybePromise } from "../../types/credential.js";
import type {
  HeaderScheme,
  SignatureAlgorithm,
  SignatureFault,
  SignatureHeaders,
  SignatureMatch,
  SignatureScheme,
  SignatureVariant,
  SignedAlternatives,
  SignedContent,
  SignedRequest,
} from "../../types/signature.js";
import { toleranceOption } from "../settings.js";

/** A signature in a header, as a provider documents it; see docs/guides/custom-source.md. */
export interface CustomSignatureOptions {
  /** The header that holds the signature, in any case. Or `headers`. */
  readonly header?: string | undefined;
  /** Sets of headers under which the signature is known; the first of which any header was sent counts. */
  readonly headers?: readonly SignatureHeaders[] | undefined;
  /**
   * What comes before the signature, such as `sha256=`; with `parts`, the name of its part, such as `v1`. A list where it may be
   * one of several. Default: nothing.
   */
  readonly prefix?: string | readonly string[] | undefined;
  /** Where the header is a list such as `t=1,v1=ab`; several parts may hold a signature. Default: separator `,`, assign `=`. */
  readonly parts?:
    | {
        /** What separates the parts. Default: `,`. */
        readonly separator?: string | undefined;
        /** What separates the name of a part from its value. Default: `=`. */
        readonly assign?: string | undefined;
      }
    | undefined;
  /** Default: hmac-sha256. */
  readonly algorithm?: SignatureAlgorithm | undefined;
  /** Default: hex. */
  readonly encoding?: HeaderScheme["encoding"] | undefined;
  /** Letters of hex that are accepted. Default: lower. */
  readonly hexCase?: HeaderScheme["hexCase"];
  /** How ECDSA signatures are written. Default: der. */
  readonly dsaEncoding?: HeaderScheme["dsaEncoding"];
  /**
   * The signed bytes: a template with `{body}`, `{timestamp}`, `{id}`, `{url}`, `{method}` and `{header:NAME}`, or a function
   * that gives the pieces in their order. Default: `{body}`.
   */
  readonly signed?:
    | string
    | ((request: SignedRequest) => SignedContent | SignedAlternatives | SignatureFault)
    | undefined;
  /** The header that holds the timestamp, or with `parts` the part that does. It must be signed. */
  readonly timestamp?:
    | string
    | {
        /** Name of the part. */
        readonly part: string;
      }
    | undefined;
  /** Default: seconds. */
  readonly timestampUnit?: HeaderScheme["timestampUnit"];
  /** How far the timestamp may be from our clock, before or after it, "1s" to "1h". Default: "5m". */
  readonly tolerance?: Duration | undefined;
  /** The header that holds the id, where `signed` has an `{id}`. */
  readonly id?: string | undefined;
  /** For HMAC; several while it is rotated. Text is taken as it is; bytes and `{ base64 }` where it is encoded. */
  readonly secret?: SigningSecrets | undefined;
  /** `true` takes a secret of fewer than 24 bytes. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
  /** `true` takes `algorithm: "hmac-sha1"`, for providers that have nothing else. Default: refused. */
  readonly insecureSha1?: boolean | undefined;
  /** For Ed25519, ECDSA and RSA: PEM, a JWK, or the hex or base64 that the provider shows. */
  readonly publicKey?: SigningPublicKeys | undefined;
  /** Origin, or whole URL without query, under which the sender calls us. Needed where the URL is signed. */
  readonly publicUrl?: string | undefined;
}

/** A check of your own, for what cannot be declared. It sees what nobody vouches for yet. */
export interface CustomSignatureCheck {
  /** The id of the key that matched, or what is wrong. Compare in constant time (`timingSafeEqual`). */
  verify(request: SignedRequest, nowMs: number): MaybePromise<SignatureMatch | SignatureFault>;
  /** Origin, or whole URL without query, under which the sender calls us. Needed if the URL is signed. */
  readonly publicUrl?: string | undefined;
}

const known = optionKeys<CustomSignatureOptions>({
  header: true,
  headers: true,
  prefix: true,
  parts: true,
  algorithm: true,
  encoding: true,
  hexCase: true,
  dsaEncoding: true,
  signed: true,
  timestamp: true,
  timestampUnit: true,
  tolerance: true,
  id: true,
  secret: true,
  insecureShortSecret: true,
  insecureSha1: true,
  publicKey: true,
  publicUrl: true,
});
const checkNames = optionKeys<CustomSignatureCheck>({ verify: true, publicUrl: true });
const setNames = optionKeys<SignatureHeaders>({ signature: true, timestamp: true, id: true });
const partsNames = optionKeys<NonNullable<CustomSignatureOptions["parts"]>>({
  separator: true,
  assign: true,
});

const algorithms: readonly SignatureAlgorithm[] = [
  "hmac-sha256",
  "hmac-sha384",
  "hmac-sha512",
  "hmac-sha1",
  "ed25519",
  "ecdsa-p256-sha256",
  "rsa-sha256",
];

type Given = Record<string, unknown>;

/** The scheme that the option `signature` stands for. TypeError for what cannot be meant; `where` names the option. */
export function resolveSignature(given: unknown, where: string): SignatureScheme {
  const scheme = isCheck(given) ? resolveCheck(given, where) : resolveHeader(given, where);
  // What is wrong with it shall be said here, not where the receiver is made.
  createSignatureGate(scheme, where);
  return scheme;
}

function isCheck(given: unknown): given is Given {
  return typeof given === "object" && given !== null && Object.hasOwn(given, "verify");
}

function resolveCheck(given: Given, where: string): SignatureScheme {
  assertOptions(given, checkNames, where);
  const verify = own(given, "verify");
  if (typeof verify !== "function")
    throw new OptionError(`${where}.verify`, ` must be a function, not ${describe(verify)}`);
  const publicUrl = textOption(own(given, "publicUrl"), `${where}.publicUrl`);
  return { kind: "custom", verify: guarded(verify as CustomSignatureCheck["verify"], where), publicUrl };
}

/** What it throws, over a body that is no JSON for one, is the sender's fault; its words may be the body's. */
function guarded(verify: CustomSignatureCheck["verify"], where: string): CustomSignatureCheck["verify"] {
  const faultOf = (thrown: unknown): SignatureFault => {
    const name = thrown instanceof Error ? thrown.name : describe(thrown);
    return { fault: "malformed", reason: `${where}.verify threw ${name}: it cannot read the request` };
  };
  return (request, nowMs) => {
    try {
      const found = verify(request, nowMs);
      return isPromise(found) ? found.then(undefined, faultOf) : found;
    } catch (thrown) {
      return faultOf(thrown);
    }
  };
}

function resolveHeader(given: unknown, where: string): HeaderScheme {
  assertOptions(given, known, where);
  const text = (name: (typeof known)[number]): string | undefined =>
    textOption(own(given, name), `${where}.${name}`);
  const parts = partsOption(given, where);
  const headers = headersOption(given, where);
  const hasTimestamp = parts?.timestamp !== undefined || headers.some((set) => set.timestamp !== undefined);
  if (own(given, "tolerance") !== undefined && !hasTimestamp) {
    throw new OptionError(
      `${where}.tolerance`,
      ` needs a timestamp: name its header or part as ${where}.timestamp`,
    );
  }
  return {
    kind: "header",
    headers,
    parts,
    variants: variantsOption(given, parts !== undefined, where),
    encoding: choiceOption(
      own(given, "encoding"),
      `${where}.encoding`,
      ["hex", "base64", "base64url"],
      "hex",
    ),
    // The choices of those below are the check's own.
    hexCase: text("hexCase") as HeaderScheme["hexCase"],
    dsaEncoding: text("dsaEncoding") as HeaderScheme["dsaEncoding"],
    timestampUnit: text("timestampUnit") as HeaderScheme["timestampUnit"],
    signed: signedOption(own(given, "signed"), `${where}.signed`),
    tolerance: hasTimestamp ? toleranceOption(given, where) : undefined,
    publicUrl: text("publicUrl"),
  };
}

function signedOption(signed: unknown, where: string): HeaderScheme["signed"] {
  if (signed === undefined) return "{body}";
  return typeof signed === "function"
    ? (signed as Exclude<HeaderScheme["signed"], string>)
    : stringOption(signed, where);
}

function textOption(value: unknown, where: string): string | undefined {
  return value === undefined ? undefined : stringOption(value, where);
}

/** A header's name in lower case. */
export function headerName(value: unknown, where: string): string {
  const name = stringOption(value, where).toLowerCase();
  if (isHeaderName(name)) return name;
  throw new OptionError(
    where,
    ` is not a header name: letters, digits and "-" alone, without colon or space`,
  );
}

function headersOption(given: Given, where: string): readonly SignatureHeaders[] {
  const [header, headers] = [own(given, "header"), own(given, "headers")];
  if ((header === undefined) === (headers === undefined)) {
    throw new OptionError(
      where,
      ` needs \`header\`, the name of the header with the signature, or \`headers\``,
    );
  }
  const [timestamp, id] = [own(given, "timestamp"), own(given, "id")];
  const optional = (value: unknown, place: string): string | undefined =>
    value === undefined ? undefined : headerName(value, place);
  if (headers === undefined) {
    const stands = typeof timestamp === "object" ? undefined : timestamp;
    return [
      {
        signature: headerName(header, `${where}.header`),
        timestamp: optional(stands, `${where}.timestamp`),
        id: optional(id, `${where}.id`),
      },
    ];
  }
  if (id !== undefined || typeof timestamp === "string") {
    throw new OptionError(
      `${where}.headers`,
      ` names the headers of each set: set \`timestamp\` and \`id\` there`,
    );
  }
  if (!Array.isArray(headers))
    throw new OptionError(`${where}.headers`, ` must be a list, not ${describe(headers)}`);
  return headers.map((set: unknown, at) => {
    const place = `${where}.headers[${at}]`;
    assertOptions(set, setNames, place);
    return {
      signature: headerName(own(set, "signature"), `${place}.signature`),
      timestamp: optional(own(set, "timestamp"), `${place}.timestamp`),
      id: optional(own(set, "id"), `${place}.id`),
    };
  });
}

function partsOption(given: Given, where: string): HeaderScheme["parts"] {
  const [parts, timestamp] = [own(given, "parts"), own(given, "timestamp")];
  const inPart = typeof timestamp === "object" && timestamp !== null;
  if (inPart)
    assertOptions(timestamp, optionKeys<{ readonly part: string }>({ part: true }), `${where}.timestamp`);
  if (parts === undefined) {
    if (inPart)
      throw new OptionError(
        `${where}.timestamp`,
        ` names a part, so ${where}.parts must say how they are separated`,
      );
    return undefined;
  }
  assertOptions(parts, partsNames, `${where}.parts`);
  const mark = (name: "separator" | "assign", fallback: string): string => {
    const value = own(parts, name) ?? fallback;
    // A space is a separator, so that stringOption would refuse too much.
    if (typeof value === "string" && value !== "") return value;
    throw new OptionError(
      `${where}.parts.${name}`,
      ` must be text, such as "${fallback}", not ${describe(value)}`,
    );
  };
  return {
    separator: mark("separator", ","),
    assign: mark("assign", "="),
    timestamp: inPart ? stringOption((timestamp as Given).part, `${where}.timestamp.part`) : undefined,
  };
}

function variantsOption(given: Given, isPart: boolean, where: string): readonly SignatureVariant[] {
  const algorithm = choiceOption(own(given, "algorithm"), `${where}.algorithm`, algorithms, "hmac-sha256");
  if (flagOption(own(given, "insecureSha1"), `${where}.insecureSha1`) !== (algorithm === "hmac-sha1")) {
    throw algorithm === "hmac-sha1"
      ? new OptionError(
          `${where}.algorithm`,
          " is SHA-1: choose another, or set insecureSha1: true if the provider has nothing else",
        )
      : new OptionError(`${where}.insecureSha1`, ' is for algorithm: "hmac-sha1" alone: leave it out');
  }
  const keys = keysOption(given, algorithm, where);
  return labelsOption(own(given, "prefix"), isPart, `${where}.prefix`).map((label) => ({
    label,
    algorithm,
    keys,
  }));
}

function labelsOption(prefix: unknown, isPart: boolean, where: string): readonly string[] {
  if (Array.isArray(prefix) && prefix.length > 0) {
    return prefix.map((each: unknown, at) => stringOption(each, `${where}[${at}]`));
  }
  if (prefix !== undefined) return [stringOption(prefix, where)];
  if (!isPart) return [""];
  throw new OptionError(where, ` is missing: it names the part that has the signature, such as "v1"`);
}

function keysOption(given: Given, algorithm: SignatureAlgorithm, where: string): SignatureVariant["keys"] {
  const insecureShortSecret = flagOption(own(given, "insecureShortSecret"), `${where}.insecureShortSecret`);
  const [secret, publicKey] = [own(given, "secret"), own(given, "publicKey")];
  if (algorithm.startsWith("hmac-")) {
    if (publicKey !== undefined)
      throw new OptionError(`${where}.publicKey`, `: ${algorithm} takes a secret instead`);
    return parseSecrets(secret, `${where}.secret`, { insecureShortSecret });
  }
  if (secret !== undefined)
    throw new OptionError(`${where}.secret`, `: ${algorithm} takes a publicKey instead`);
  return parsePublicKeys(withEncodings(publicKey, algorithm), `${where}.publicKey`, algorithm);
}

/**
 * Public keys as providers show them, in the forms that are read elsewhere: 32 bytes of Ed25519 in hex or base64 become a
 * JWK, base64 without the frame of PEM gets it. Whatever else it is comes back as it was, to be refused by name.
 */
export function withEncodings(given: unknown, algorithm: SignatureAlgorithm): unknown {
  if (Array.isArray(given)) return given.map((each: unknown) => framedMember(each, algorithm));
  return framed(given, algorithm);
}

function framedMember(given: unknown, algorithm: SignatureAlgorithm): unknown {
  const isNamed = typeof given === "object" && given !== null && Object.hasOwn(given, "publicKey");
  if (!isNamed) return framed(given, algorithm);
  return { ...given, publicKey: framed(own(given as { publicKey?: unknown }, "publicKey"), algorithm) };
}

function framed(given: unknown, algorithm: SignatureAlgorithm): unknown {
  if (typeof given !== "string" || given.includes("-----BEGIN")) return given;
  const bytes = /^[0-9a-f]{64}$/i.test(given) ? Buffer.from(given, "hex") : Buffer.from(given, "base64");
  if (bytes.length === 32 && algorithm === "ed25519") {
    return { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") };
  }
  // 0x30 begins every key in DER.
  if (bytes[0] !== 0x30 || bytes.toString("base64") !== given) return given;
  const lines = given.replace(/(.{64})(?=.)/g, "$1\n");
  return `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`;
}
