import "./http/express.js";

export type { AuthOptions, CredentialsAuth, NoAuth, SingleServiceAuth } from "./auth.js";
export type { AddressList, CredentialKind, CredentialSource, KeyKind } from "./contracts/credential.js";
export type { Caller, Delivery, JwtClaims } from "./contracts/delivery.js";
export type * from "./contracts/engine.js";
export type { Handler, HandlerContext, InboxContext, WebhookEvent } from "./contracts/event.js";
export type { ExplainedStep, ExplainRequest, Explanation } from "./contracts/explanation.js";
export type { Logger } from "./contracts/logger.js";
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
} from "./contracts/report.js";
export type * from "./contracts/signature.js";
export type * from "./contracts/source.js";
export type { SchemaIssue, StandardSchema } from "./contracts/standard-schema.js";
export {
  type CredentialsFileOptions,
  credentialsFromFile,
  type FileCredentials,
} from "./credentials/file.js";
export type { JwtOptions } from "./credentials/jwt-options.js";
export type { KeyOptions } from "./credentials/key-options.js";
export {
  type CredentialLookup,
  type CredentialLookupOptions,
  credentialsFrom,
  type FoundKey,
  type FoundToken,
} from "./credentials/lookup.js";
export {
  type Credentials,
  type CredentialsDefinition,
  defineCredentials,
  type ServiceDefinition,
  type TenantDefinition,
} from "./credentials/model.js";
export type { ServiceKeyOptions } from "./credentials/single-service.js";
export * from "./errors.js";
export type { EnvelopeOptions, Locator } from "./events/envelope.js";
export {
  type EventMapOf,
  type EventSchemas,
  type UncheckedTypes,
  uncheckedTypes,
} from "./events/event-map.js";
export type { HandlerOptions } from "./events/handler-options.js";
export type { HandlerRegistration } from "./events/handlers.js";
export type { RetryFailure, RetryOptions } from "./events/retry-policy.js";
export { type AllowIpsOptions, type Allowlist, createAllowlist } from "./gate/allowlist.js";
export type { ClientAddressOptions } from "./gate/client-address.js";
export { type GuardOptions, type RequireAuthOptions, requireAllowedIp, requireAuth } from "./guards.js";
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
export type { BodyOptions } from "./http/read-body.js";
export type { ChangeOptions, Inbox, InboxFilter, InboxSelection } from "./inbox/inspection.js";
export type { InboxOptions } from "./inbox/options.js";
export type { RetentionOptions } from "./inbox/retention-options.js";
export type { Clock } from "./lib/clock.js";
export type { Duration } from "./lib/duration.js";
export { OptionError } from "./lib/options.js";
export { DoNotRetry, LeaseLostError, RetryLater } from "./lib/task-errors.js";
export { createReceiver, type Receiver } from "./receiver.js";
export type { ContextOf, NoInbox, ReceiverOptions } from "./receiver-options.js";
export {
  type CustomEventsOptions,
  type CustomLocator,
  type CustomSignatureCheck,
  type CustomSignatureOptions,
  type CustomSourceOptions,
  customSource,
} from "./sources/custom.js";
