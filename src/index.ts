import "./http/express.js";

export {
  type Credentials,
  type CredentialsDefinition,
  defineCredentials,
  type ServiceDefinition,
  type TenantDefinition,
} from "./auth/credentials/define.js";
export {
  type CredentialsFileOptions,
  credentialsFromFile,
  type FileCredentials,
} from "./auth/credentials/file.js";
export {
  type CredentialLookup,
  type CredentialLookupOptions,
  credentialsFromLookup,
  type FoundKey,
  type FoundToken,
} from "./auth/credentials/lookup.js";
export type { ServiceKeyOptions } from "./auth/credentials/single-service.js";
export type { JwtOptions } from "./auth/jwt/options.js";
export type { KeyOptions } from "./auth/key-options.js";
export type { AuthOptions, CredentialsAuth, NoAuth, SingleServiceAuth } from "./auth/options.js";
export type { BodyOptions } from "./body/read.js";
export * from "./errors.js";
export {
  type EventMapOf,
  type EventSchemas,
  type UncheckedTypes,
  uncheckedTypes,
} from "./events/event-map.js";
export type { EnvelopeOptions, Locator } from "./events/extract.js";
export type { HandlerOptions } from "./events/handler-options.js";
export type { HandlerRegistration } from "./events/handlers.js";
export type { RetryFailure, RetryOptions } from "./events/retry-policy.js";
export {
  type ClosableReceiver,
  type ClosableServer,
  type CloseOnSignalsOptions,
  closeOnSignals,
} from "./http/close-on-signals.js";
export { createExpressServer, type ExpressApp } from "./http/express-server.js";
export type { ReceiverMiddleware } from "./http/forgotten-call.js";
export type { Middleware } from "./http/guard.js";
export {
  type HealthHandler,
  type HealthHandlerOptions,
  type HealthyReceiver,
  healthHandler,
} from "./http/health-handler.js";
export type { ChangeOptions, Inbox, InboxFilter, InboxSelection } from "./inbox/admin.js";
export type { InboxOptions } from "./inbox/options.js";
export type { RetentionOptions } from "./inbox/retention.js";
export { type AllowIpsOptions, type Allowlist, createAllowlist } from "./ip/allowlist.js";
export type { ClientAddressOptions } from "./ip/client-address.js";
export type { Clock } from "./lib/clock.js";
export type { Duration } from "./lib/duration.js";
export { OptionError } from "./lib/options.js";
export { DoNotRetry, LeaseLostError, RetryLater } from "./lib/task-errors.js";
export {
  type GuardOptions,
  type RequireAuthOptions,
  requireAllowedIp,
  requireAuth,
} from "./receiver/guards.js";
export type { ContextOf, NoInbox, ReceiverOptions } from "./receiver/options.js";
export { createReceiver, type Receiver } from "./receiver/receiver.js";
export {
  type CustomEventsOptions,
  type CustomLocator,
  type CustomSignatureCheck,
  type CustomSignatureOptions,
  type CustomSourceOptions,
  customSource,
} from "./sources/custom.js";
export type { AddressList, CredentialKind, CredentialProvider, KeyKind } from "./types/credential.js";
export type { Caller, Delivery, JwtClaims } from "./types/delivery.js";
export type * from "./types/engine.js";
export type { Handler, HandlerContext, InboxContext, WebhookEvent } from "./types/event.js";
export type { ExplainedStep, ExplainRequest, Explanation } from "./types/explanation.js";
export type { Logger } from "./types/logger.js";
export type {
  AcceptedReport,
  ClaimedReport,
  DeadReport,
  FailedReport,
  HandledReport,
  HandlerRun,
  Hooks,
  IgnoredReport,
  RefusedReport,
  ReplayedReport,
  ReportedTask,
  RetriedReport,
  StoreFailedReport,
  StoreRecoveredReport,
} from "./types/report.js";
export type * from "./types/signature.js";
export type * from "./types/source.js";
export type { SchemaIssue, StandardSchema } from "./types/standard-schema.js";
