import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../errors.js";
import type { Duration } from "../lib/duration.js";
import type { JwtClaims } from "./delivery.js";
import type { AnyEventMap } from "./event.js";
import type { SignatureFault, SignatureScheme } from "./signature.js";
import type { StandardSchema } from "./standard-schema.js";

/**
 * How a body is read. `json`, `form` (URL-encoded), `xml`; `bytes`: not at all, the data is the Buffer; `empty`: there
 * is none. Chosen by the content type, never by looking at the body.
 */
export type BodyKind = "json" | "form" | "xml" | "bytes" | "empty";

/** A delivery as a source reads events from it. */
export interface ParsedDelivery {
  /** The parsed body. */
  readonly body: unknown;
  /** How `body` was read. */
  readonly kind: BodyKind;
  /** With an inbox, later reads see those alone that the source names in `headers`. */
  readonly headers: Readonly<IncomingHttpHeaders>;
}

/** An event as the sender put it. Without `id` it gets one from the body's bytes. */
export interface SourceEvent {
  /** The event's type, 1 to 200 characters. */
  readonly type: string;
  /** The sender's id. Left out: derived from the body's bytes. */
  readonly id?: string | number | undefined;
  /** What the schema and the handlers get. */
  readonly data: unknown;
}

/** What cannot be read; for the operator, in words without the body's. */
export interface SourceFault {
  /** What is wrong, for the operator. */
  readonly fault: string;
  /** The source's own word for what is wrong, given back to its `answer`. */
  readonly kind?: string | undefined;
}

/** A request before anything of it is believed, or, with `body`, after every check. */
export interface HandshakeRequest {
  /** The request's method. */
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  /** Headers by lower-case name. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The parsed body of a POST that passed every check; undefined before. */
  readonly body: unknown;
}

/** An answer as a source wants it. Objects become JSON. Never 410: senders take that for an end of the subscription. */
export interface SourceAnswer {
  /** Status of the answer. */
  readonly status: number;
  /** Further headers. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Text, or an object that becomes JSON. Default: none. */
  readonly body?: string | object | undefined;
}

/** What became of a delivery, as a source answers it. */
export interface SourceOutcome {
  /** What became of the delivery. */
  readonly status: "handled" | "accepted" | "duplicate" | "ignored" | "refused" | "failed";
  /** Of what was refused or failed. */
  readonly code: ErrorCode | undefined;
  /** What was wrong with the signature, with ERR_SIGNATURE_INVALID. */
  readonly signatureFault: SignatureFault["fault"] | undefined;
  /** `kind` of the fault that `events` found, where it gave one. */
  readonly faultKind?: string | undefined;
  /** The status that we would answer with. */
  readonly httpStatus: number;
  /** Id of the request, also sent as `X-Request-Id`. */
  readonly requestId: string;
  /** How the body is read; undefined where it was refused before that was known. */
  readonly bodyKind: BodyKind | undefined;
  /** The events, as far as they could be read; empty where the delivery was refused before. */
  readonly events: readonly {
    /** The event's type. */
    readonly type: string;
    /** The sender's id, or the derived one. */
    readonly id: string;
    /** The event's data. */
    readonly data: unknown;
  }[];
}

/** Where a source's senders put a token that is no `Authorization: Bearer`. */
export interface TokenCarrier {
  /** Lower-case name of the header. */
  readonly header: string;
  /** The scheme before the token, such as `JWT`; undefined: the header is the token. */
  readonly scheme?: string | undefined;
  /** A parameter of the query that may hold the token elsewhere: refused here with ERR_CREDENTIAL_IN_QUERY. */
  readonly refusedParameter?: string | undefined;
}

/** What a token that nobody has checked yet says of its key. */
export interface TokenHint {
  /** The token's `iss`, or `defaultIssuer`. */
  readonly issuer: string;
  /** The token's `kid`. */
  readonly keyId: string | undefined;
  /** What counts as the sender's address: an IPv4 address, an IPv6 /64, or "unknown". Left out where there is no request. */
  readonly network?: string | undefined;
}

/** How long answers of `SourceAuth.token` are remembered, by the token's `kid`; tokens without one are then refused. */
export interface TokenLookupMemory {
  /** How long what was found is used before it is asked for again, "1s" to "1d". */
  readonly found: Duration;
  /** How long a `kid` that was not found is not asked for again, "1s" to "1d". */
  readonly missing: Duration;
  /**
   * Maximum lookups of unknown `kid`s per minute; beyond it: 503. One address gets a third of them, and a third is reserved
   * for addresses that have sent a genuine delivery.
   */
  readonly unknownPerMinute: number;
}

/** Tokens that a source's senders bring; takes the place of the option `auth`. */
export interface SourceAuth {
  /** What `auth.jwt` would hold: the options of one JWT credential, or a list of them. */
  readonly jwt?: unknown;
  /**
   * Instead of `jwt`: the options of the JWT credential of an issuer or key that only a lookup knows, or undefined. Return
   * the same object again where nothing changed. What it throws, and what takes more than 5 seconds, is answered 503.
   */
  readonly token?: ((hint: TokenHint) => unknown) | undefined;
  /** Left out: `token` is asked for each token. */
  readonly tokenMemory?: TokenLookupMemory | undefined;
  /** Where tokens are sent. Left out: `Authorization: Bearer`. */
  readonly carrier?: TokenCarrier | undefined;
  /** The issuer of tokens that name none in `iss`. */
  readonly defaultIssuer?: string | undefined;
  /**
   * A check of the claims beyond the credential's policy: why the token does not pass, for the operator, or undefined.
   * Asked for each POST before its body is read. `url`: path and query as they came.
   */
  check?(claims: JwtClaims, url: string): string | undefined;
  /**
   * Claims of this sender's tokens beyond those that the credential's options name, for `hookgate send` and the testing
   * kit. `url`: path and query.
   */
  claims?(url: string): Readonly<Record<string, unknown>>;
}

/** Where a source's senders put credentials of the option `auth` in addition to the usual places. */
export interface CredentialPlaces {
  /** A value of three parts between dots in the key header is a JWT, and decides alone. */
  readonly tokenInKeyHeader?: boolean | undefined;
  /** `Authorization` without a scheme holds a key. */
  readonly keyInAuthorization?: boolean | undefined;
}

/** An event to be sent, for `hookgate send` and the testing kit. */
export interface ComposeEvent {
  /** The event's type. */
  readonly type: string;
  /** The event's id. */
  readonly id: string;
  /** The event's data. */
  readonly data: unknown;
  /** Now, in milliseconds since the epoch. */
  readonly nowMs: number;
}

/** An unsigned delivery. */
export interface ComposedDelivery {
  /** Headers by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The content type of the body. */
  readonly contentType: string;
  /** The body as text. */
  readonly body: string;
}

/**
 * How one kind of sender talks: where its events are, how it signs, what answer it expects. Declarative: a receiver
 * does the checks. `EventMap` gives handlers their types.
 */
export interface Source<EventMap = AnyEventMap> {
  /** Stable: part of what the inbox tells events apart by. */
  readonly name: string;
  /** Kinds of body that its senders use, by the usual content types. */
  readonly bodies: readonly BodyKind[];
  /** Further content types, in lower case without parameters, and how their bodies are read. */
  readonly mediaTypes?: Readonly<Record<string, BodyKind>> | undefined;
  /**
   * Lower-case names of the headers that `events` reads; the inbox keeps them. `ce-*` stands for all that begin so.
   * Never a credential's or signature's.
   */
  readonly headers: readonly string[];
  /** The events of a delivery, in their order; pure. None is no fault: an empty batch is answered as ignored. */
  events(delivery: ParsedDelivery): readonly SourceEvent[] | SourceFault;
  /** Schemas of the data by event type, where the receiver's option `events` is left out. */
  readonly schemas?: Readonly<Record<string, StandardSchema>> | undefined;
  /** Tokens that its senders bring. Left out: the receiver's `auth` applies. */
  readonly auth?: SourceAuth | undefined;
  /** Left out: keys come in the key header, JWTs in `Authorization: Bearer`. */
  readonly credentialPlaces?: CredentialPlaces | undefined;
  /** How its senders sign. Left out: they do not. */
  readonly signature?: SignatureScheme | undefined;
  /** `id`: senders change the body on a retry. Default: `id-and-body`. */
  readonly deduplicateBy?: "id" | "id-and-body" | undefined;
  /** How long this sender waits for the answer, "1ms" to "1h". */
  readonly deadline: Duration;
  /**
   * Answers what is no delivery. Asked twice: for methods other than POST after the check of the address, without
   * `body`; and for a POST after every check, with the parsed `body`. Undefined: go on as usual.
   */
  handshake?(request: HandshakeRequest): SourceAnswer | undefined;
  /** Undefined: the usual answer. */
  answer?(outcome: SourceOutcome): SourceAnswer | undefined;
  /** An event as this sender would send it; the signature is added from `signature`. */
  compose?(event: ComposeEvent): ComposedDelivery;
  /** Path and query that this sender calls with a body, where it adds to them. Default: `url`. */
  composeUrl?(
    url: string,
    body: {
      /** The content type of the body. */
      readonly contentType: string;
      /** The body, byte for byte. */
      readonly rawBody: Buffer;
    },
  ): string;
  /** Never there at run time: carries `EventMap` for the compiler. */
  readonly types?: EventMap | undefined;
}
