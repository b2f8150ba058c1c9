/** What the outside sees of an error, and what the operator is told to look for. */
interface ErrorEntry {
  /** HTTP status of the answer. */
  readonly status: number;
  /** `Retry-After` of the answer, in seconds. */
  readonly retryAfterSeconds?: number;
  /** True: the connection is closed after the answer, because a body was left unread. */
  readonly close?: true;
}

/**
 * Every error code with its answer. The codes are explained in docs/errors.md.
 * 5xx answers carry no code outside: which part of us failed is for the operator alone.
 */
export const errorTable = {
  ERR_METHOD: { status: 405 },
  ERR_ADDRESS_REFUSED: { status: 403 },
  ERR_HEADERS_TOO_LARGE: { status: 431, close: true },
  ERR_HEADER_MALFORMED: { status: 400 },
  ERR_CREDENTIAL_IN_QUERY: { status: 400 },
  ERR_CREDENTIAL_REPEATED: { status: 400 },
  ERR_CREDENTIAL_MISSING: { status: 401 },
  ERR_TOKEN_INVALID: { status: 401 },
  ERR_KEY_INVALID: { status: 401 },
  ERR_SIGNATURE_INVALID: { status: 401 },
  ERR_TOO_MANY_FAILURES: { status: 429, retryAfterSeconds: 60 },
  ERR_CREDENTIALS_UNAVAILABLE: { status: 503, retryAfterSeconds: 5 },
  ERR_MEDIA_TYPE: { status: 415 },
  ERR_BODY_TOO_LARGE: { status: 413, close: true },
  ERR_BODY_TIMEOUT: { status: 408, close: true },
  ERR_BODY_ABORTED: { status: 400, close: true },
  ERR_BODY_CONSUMED: { status: 500 },
  ERR_BODY_MALFORMED: { status: 400 },
  ERR_EVENT_INVALID: { status: 422 },
  ERR_EVENT_CONFLICT: { status: 409 },
  ERR_HANDLER_FAILED: { status: 500 },
  ERR_HANDLER_TIMEOUT: { status: 503, retryAfterSeconds: 5 },
  ERR_OVERLOADED: { status: 503, retryAfterSeconds: 1 },
  ERR_STORE_UNAVAILABLE: { status: 503, retryAfterSeconds: 5 },
  ERR_STOPPED: { status: 503, retryAfterSeconds: 5, close: true },
  ERR_INTERNAL: { status: 500 },
} as const satisfies Record<string, ErrorEntry>;

/** The code of an error; stable across releases, listed in docs/errors.md. */
export type ErrorCode = keyof typeof errorTable;

/** The answer that belongs to a code: status, `Retry-After`, whether the connection is closed. */
export function errorEntry(code: ErrorCode): ErrorEntry {
  return errorTable[code];
}

/**
 * The base of every error that a delivery can end in. `message` is written for the operator and never sent.
 * Tell errors apart by `code`, never by their text.
 */
export class HookgateError extends Error {
  /** The error's code. */
  readonly code: ErrorCode;
  /** The HTTP status that the sender was answered with. */
  readonly status: number;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.status = errorTable[code].status;
  }
}

/** An error of one code. */
export interface CodedError<Code extends ErrorCode> extends HookgateError {
  readonly code: Code;
}

type CodedErrorClass<Code extends ErrorCode> = new (
  message: string,
  options?: ErrorOptions,
) => CodedError<Code>;

/** Makes the subclass of one code, so that `switch (error.code)` narrows the union. */
function errorClass<Code extends ErrorCode>(code: Code): CodedErrorClass<Code> {
  return class extends HookgateError {
    declare readonly code: Code;
    constructor(message: string, options?: ErrorOptions) {
      super(code, message, options);
    }
  };
}

/** The method is not POST. */
export class MethodError extends errorClass("ERR_METHOD") {}
/** The source address is on none of the allowlists that apply, or cannot be known. */
export class AddressRefusedError extends errorClass("ERR_ADDRESS_REFUSED") {}
/** More than 100 header lines. */
export class HeadersTooLargeError extends errorClass("ERR_HEADERS_TOO_LARGE") {}
/** `Authorization` holds control or non-ASCII bytes (RFC 9110 section 5.5). */
export class HeaderMalformedError extends errorClass("ERR_HEADER_MALFORMED") {}
/** `access_token` is in the query string (RFC 6750 section 2.3). */
export class CredentialInQueryError extends errorClass("ERR_CREDENTIAL_IN_QUERY") {}
/** A credential was sent more than once (RFC 6750 section 3.1). */
export class CredentialRepeatedError extends errorClass("ERR_CREDENTIAL_REPEATED") {}
/** No credential that this route accepts was sent. */
export class CredentialMissingError extends errorClass("ERR_CREDENTIAL_MISSING") {}
/** A JWT was sent and does not pass (RFC 7519, RFC 8725). */
export class TokenInvalidError extends errorClass("ERR_TOKEN_INVALID") {}
/** A key was sent and is not a valid one. */
export class KeyInvalidError extends errorClass("ERR_KEY_INVALID") {}
/** The body's signature is missing or does not hold. */
export class SignatureInvalidError extends errorClass("ERR_SIGNATURE_INVALID") {}
/** Too many failed credentials came from this address within a minute (RFC 6585 section 4). */
export class TooManyFailuresError extends errorClass("ERR_TOO_MANY_FAILURES") {}
/** The place that credentials come from cannot answer. */
export class CredentialsUnavailableError extends errorClass("ERR_CREDENTIALS_UNAVAILABLE") {}
/** Content type, charset or content coding are not accepted (RFC 9110 section 15.5.16). */
export class MediaTypeError extends errorClass("ERR_MEDIA_TYPE") {}
/** The body is longer than `body.maxBytes`. */
export class BodyTooLargeError extends errorClass("ERR_BODY_TOO_LARGE") {}
/** The body was not there within `body.timeout`. */
export class BodyTimeoutError extends errorClass("ERR_BODY_TIMEOUT") {}
/** The sender went away before its body was complete. */
export class BodyAbortedError extends errorClass("ERR_BODY_ABORTED") {}
/** An earlier middleware read the body. */
export class BodyConsumedError extends errorClass("ERR_BODY_CONSUMED") {}
/** The body is not what its content type says, repeats a member, or nests too deep. */
export class BodyMalformedError extends errorClass("ERR_BODY_MALFORMED") {}
/** The event has no usable type or id, or its data breaks the schema; then `issues` says where. */
export class EventInvalidError extends errorClass("ERR_EVENT_INVALID") {
  /** The schema's issues (Standard Schema), empty where the type or id was the trouble. May quote the body. */
  get issues(): readonly {
    /** What is wrong, as the schema says it. */
    readonly message: string;
  }[] {
    return Array.isArray(this.cause) ? this.cause : [];
  }
}
/** An event with this id was accepted before, with another body. */
export class EventConflictError extends errorClass("ERR_EVENT_CONFLICT") {}
/** A handler threw or rejected; `cause` is what it threw. */
export class HandlerFailedError extends errorClass("ERR_HANDLER_FAILED") {}
/** A handler was still running at its deadline. */
export class HandlerTimeoutError extends errorClass("ERR_HANDLER_TIMEOUT") {}
/** As many deliveries, or runs of a handler, are in progress as are allowed. */
export class OverloadedError extends errorClass("ERR_OVERLOADED") {}
/** The inbox's store cannot take the delivery; `cause` is what the store said. */
export class StoreUnavailableError extends errorClass("ERR_STORE_UNAVAILABLE") {}
/** The receiver was stopped, or not started. */
export class StoppedError extends errorClass("ERR_STOPPED") {}
/** Something of ours, or of the code we were given, failed in a way we did not foresee; `cause` has it. */
export class InternalError extends errorClass("ERR_INTERNAL") {}

const classes = {
  ERR_METHOD: MethodError,
  ERR_ADDRESS_REFUSED: AddressRefusedError,
  ERR_HEADERS_TOO_LARGE: HeadersTooLargeError,
  ERR_HEADER_MALFORMED: HeaderMalformedError,
  ERR_CREDENTIAL_IN_QUERY: CredentialInQueryError,
  ERR_CREDENTIAL_REPEATED: CredentialRepeatedError,
  ERR_CREDENTIAL_MISSING: CredentialMissingError,
  ERR_TOKEN_INVALID: TokenInvalidError,
  ERR_KEY_INVALID: KeyInvalidError,
  ERR_SIGNATURE_INVALID: SignatureInvalidError,
  ERR_TOO_MANY_FAILURES: TooManyFailuresError,
  ERR_CREDENTIALS_UNAVAILABLE: CredentialsUnavailableError,
  ERR_MEDIA_TYPE: MediaTypeError,
  ERR_BODY_TOO_LARGE: BodyTooLargeError,
  ERR_BODY_TIMEOUT: BodyTimeoutError,
  ERR_BODY_ABORTED: BodyAbortedError,
  ERR_BODY_CONSUMED: BodyConsumedError,
  ERR_BODY_MALFORMED: BodyMalformedError,
  ERR_EVENT_INVALID: EventInvalidError,
  ERR_EVENT_CONFLICT: EventConflictError,
  ERR_HANDLER_FAILED: HandlerFailedError,
  ERR_HANDLER_TIMEOUT: HandlerTimeoutError,
  ERR_OVERLOADED: OverloadedError,
  ERR_STORE_UNAVAILABLE: StoreUnavailableError,
  ERR_STOPPED: StoppedError,
  ERR_INTERNAL: InternalError,
} as const satisfies Record<ErrorCode, new (message: string, options?: ErrorOptions) => HookgateError>;

/** Every error a delivery can end in: `switch (error.code)` narrows it. */
export type AnyHookgateError = InstanceType<(typeof classes)[ErrorCode]>;

/**
 * A check's "no", as a value: hostile input is the normal case at a gate, and an Error per refusal would cost a
 * stack trace each. `toError` makes the Error for those who asked to be told.
 */
export class Refusal {
  readonly code: ErrorCode;
  /** For the operator; holds no key, token or body. */
  readonly reason: string;
  readonly cause: unknown;
  /** Which of the causes of its code it is, by a fixed name of ours; empty where the code has one alone. Never text from outside. */
  readonly fault: string;

  constructor(code: ErrorCode, reason: string, cause?: unknown, fault = "") {
    this.code = code;
    this.reason = reason;
    this.cause = cause;
    this.fault = fault;
  }

  /** The error of this refusal's code, with `reason` as its message. */
  toError(): AnyHookgateError {
    const options = this.cause === undefined ? undefined : { cause: this.cause };
    return new classes[this.code](this.reason, options);
  }
}
