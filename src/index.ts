import "./http/middleware.js";

export {
  type Credentials,
  type CredentialsDefinition,
  defineCredentials,
} from "./auth/credentials/define.js";
export { credentialsFromFile, type FileCredentials } from "./auth/credentials/file.js";
export { credentialsFromLookup, type FoundKey, type FoundToken } from "./auth/credentials/lookup.js";
export type { JwtOptions } from "./auth/jwt/options.js";
export type { AuthOptions } from "./auth/options.js";
export {
  AddressRefusedError,
  type AnyHookgateError,
  BodyAbortedError,
  BodyConsumedError,
  BodyMalformedError,
  BodyTimeoutError,
  BodyTooLargeError,
  CredentialInQueryError,
  CredentialMissingError,
  CredentialRepeatedError,
  CredentialsUnavailableError,
  type ErrorCode,
  EventConflictError,
  EventInvalidError,
  HandlerFailedError,
  HandlerTimeoutError,
  HeaderMalformedError,
  HeadersTooLargeError,
  HookgateError,
  InternalError,
  KeyInvalidError,
  MediaTypeError,
  MethodError,
  OverloadedError,
  SignatureInvalidError,
  StoppedError,
  StoreUnavailableError,
  TokenInvalidError,
  TooManyFailuresError,
} from "./errors.js";
export { type EventSchemas, type UncheckedTypes, uncheckedTypes } from "./events/event-map.js";
export type { HandlerOptions, TaskOptions } from "./events/handlers.js";
export { createExpressServer } from "./http/express-server.js";
export { healthHandler } from "./http/health.js";
export type { Middleware } from "./http/middleware.js";
export { closeOnSignals } from "./http/signals.js";
export type { Inbox, InboxFilter } from "./inbox/admin.js";
export type { InboxOptions } from "./inbox/options.js";
export { type Allowlist, createAllowlist } from "./ip/allowlist.js";
export type { Clock } from "./lib/clock.js";
export type { Duration } from "./lib/duration.js";
export { OptionError, parseDuration } from "./lib/options.js";
export { LeaseLostError, NonRetriableError, RetryAfterError } from "./lib/task-errors.js";
export { requireAllowedIp, requireAuth } from "./receiver/guards.js";
export type { ReceiverOptions } from "./receiver/options.js";
export {
  createReceiver,
  type EventOf,
  type HandlerOf,
  type InboxReceiver,
  type Receiver,
} from "./receiver/receiver.js";
export type { CredentialKind, CredentialProvider } from "./types/credential.js";
export type { Caller, Delivery, JwtClaims } from "./types/delivery.js";
export type {
  BackupReport,
  EventRecord,
  InboxStats,
  Page,
  ReceiverHealth,
} from "./types/engine.js";
export type { AnyEventMap, Handler, HandlerContext, InboxContext, WebhookEvent } from "./types/event.js";
export type { ExplainRequest, Explanation } from "./types/explanation.js";
export type { Hooks, Logger, ReportOf } from "./types/report.js";
export type { Source } from "./types/source.js";
