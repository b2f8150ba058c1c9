/** What each subpath exports, by name: an addition or a removal is a decision, and is made here. */
import { describe, expect, it } from "@jest/globals";
import ts from "typescript";
import { readPublicProgram, targetOf } from "./public-program.js";

interface Names {
  readonly values: readonly string[];
  readonly types: readonly string[];
}

const allowed: Readonly<Record<string, Names>> = {
  ".": {
    values: [
      "AddressRefusedError",
      "BodyAbortedError",
      "BodyConsumedError",
      "BodyMalformedError",
      "BodyTimeoutError",
      "BodyTooLargeError",
      "CredentialInQueryError",
      "CredentialMissingError",
      "CredentialRepeatedError",
      "CredentialsUnavailableError",
      "EventConflictError",
      "EventInvalidError",
      "HandlerFailedError",
      "HandlerTimeoutError",
      "HeaderMalformedError",
      "HeadersTooLargeError",
      "HookgateError",
      "InternalError",
      "KeyInvalidError",
      "LeaseLostError",
      "MediaTypeError",
      "MethodError",
      "NonRetriableError",
      "OptionError",
      "OverloadedError",
      "RetryAfterError",
      "SignatureInvalidError",
      "StoppedError",
      "StoreUnavailableError",
      "TokenInvalidError",
      "TooManyFailuresError",
      "closeOnSignals",
      "createAllowlist",
      "createExpressServer",
      "createReceiver",
      "credentialsFromFile",
      "credentialsFromLookup",
      "defineCredentials",
      "healthHandler",
      "parseDuration",
      "requireAllowedIp",
      "requireAuth",
      "uncheckedTypes",
    ],
    types: [
      "Allowlist",
      "AnyEventMap",
      "AnyHookgateError",
      "AuthOptions",
      "BackupReport",
      "Caller",
      "Clock",
      "CredentialKind",
      "CredentialProvider",
      "Credentials",
      "CredentialsDefinition",
      "Delivery",
      "Duration",
      "ErrorCode",
      "EventOf",
      "EventRecord",
      "EventSchemas",
      "ExplainRequest",
      "Explanation",
      "FileCredentials",
      "FoundKey",
      "FoundToken",
      "Handler",
      "HandlerContext",
      "HandlerOf",
      "HandlerOptions",
      "Hooks",
      "Inbox",
      "InboxContext",
      "InboxFilter",
      "InboxOptions",
      "InboxReceiver",
      "InboxStats",
      "JwtClaims",
      "JwtOptions",
      "Logger",
      "Middleware",
      "Page",
      "Receiver",
      "ReceiverHealth",
      "ReceiverOptions",
      "ReportOf",
      "Source",
      "TaskOptions",
      "UncheckedTypes",
      "WebhookEvent",
    ],
  },
  "./custom": {
    values: ["customSource"],
    types: [
      "BodyKind",
      "CheckSignature",
      "ComposeEvent",
      "ComposedDelivery",
      "CredentialPlaces",
      "CustomEventsOptions",
      "CustomLocator",
      "CustomScheme",
      "CustomSignatureCheck",
      "CustomSignatureOptions",
      "CustomSourceOptions",
      "HandshakeRequest",
      "HeaderScheme",
      "MessageAlgorithm",
      "MessageKey",
      "MessageScheme",
      "ParsedDelivery",
      "SignatureAlgorithm",
      "SignatureFault",
      "SignatureHeaders",
      "SignatureMatch",
      "SignatureScheme",
      "SignatureVariant",
      "SignedAlternatives",
      "SignedContent",
      "SignedRequest",
      "SigningKey",
      "Source",
      "SourceAnswer",
      "SourceAuth",
      "SourceEvent",
      "SourceFault",
      "SourceOutcome",
      "TokenCarrier",
      "TokenHint",
      "TokenLookupMemory",
    ],
  },
  "./engine": {
    values: ["LeaseLostError"],
    types: [
      "Acceptance",
      "AttemptRecord",
      "BackupReport",
      "Change",
      "Changed",
      "CompactReport",
      "ConsumeOptions",
      "Consumer",
      "ConsumerStats",
      "EndOptions",
      "EngineCapabilities",
      "EngineContext",
      "EngineHealth",
      "EventFilter",
      "EventRecord",
      "EventState",
      "HandlerPolicy",
      "HandlerStats",
      "HealthCheck",
      "InboxEngine",
      "InboxQuery",
      "InboxStats",
      "Lease",
      "NewDelivery",
      "NewEvent",
      "NewTask",
      "Page",
      "PurgeOptions",
      "ReceiverHealth",
      "ReplayRecord",
      "ReplayTask",
      "Selection",
      "SettledReport",
      "StoredDelivery",
      "Task",
      "TaskCounts",
      "TaskError",
      "TaskRecord",
      "TaskState",
      "TokenUse",
      "Verdict",
    ],
  },
  "./sqlite": {
    values: ["SqliteError", "sqliteEngine"],
    types: [
      "ReadOptions",
      "SqliteEngineOptions",
      "SqliteInboxEngine",
      "SqliteRow",
      "SqliteTransaction",
      "SqliteValue",
    ],
  },
  "./testing": {
    values: [
      "createFakeClock",
      "createTestSigner",
      "inboxEngineConformance",
      "memoryEngine",
      "sendDelivery",
      "signBody",
      "signedDelivery",
    ],
    types: [
      "ConformanceCase",
      "ConformanceEffects",
      "ConformanceHarness",
      "ConformanceStore",
      "EventToSend",
      "FakeClock",
      "InboxEngine",
      "MemoryEngineOptions",
      "SignedDelivery",
      "SignedDeliveryOptions",
      "SigningAlgorithm",
      "SigningOptions",
      "TestAnswer",
      "TestDelivery",
      "TestSigner",
      "TestTarget",
    ],
  },
  "./atlassian-connect": {
    values: ["atlassianConnect", "canonicalRequest"],
    types: ["AtlassianClient", "AtlassianConnectOptions", "AtlassianEvent"],
  },
  "./cloudevents": {
    values: ["cloudEvents"],
    types: ["CloudEvent", "CloudEventContent", "CloudEventMap", "CloudEventMode", "CloudEventsOptions"],
  },
  "./github": {
    values: ["github"],
    types: ["GithubEventMap", "GithubOptions"],
  },
  "./google-pubsub": {
    values: ["googlePubSub"],
    types: ["GooglePubSubOptions", "PubSubMessage"],
  },
  "./http-signature": {
    values: ["createMessageCheck", "httpMessageSignatures"],
    types: ["EventPlace", "HttpMessageKey", "HttpMessageSignaturesOptions"],
  },
  "./plaid": {
    values: ["plaid"],
    types: ["PlaidKey", "PlaidOptions", "PlaidWebhook"],
  },
  "./shopify": {
    values: ["shopify"],
    types: ["ShopifyOptions"],
  },
  "./slack": {
    values: ["slack"],
    types: [
      "SlackCommand",
      "SlackEnvelope",
      "SlackEventMap",
      "SlackInteraction",
      "SlackOptions",
      "SlackRateLimited",
    ],
  },
  "./standard-webhooks": {
    values: ["standardWebhooks"],
    types: ["StandardWebhooksOptions"],
  },
  "./stripe": {
    values: ["stripe"],
    types: ["StripeEventMap", "StripeOptions"],
  },
  "./twilio": {
    values: ["twilio"],
    types: [
      "TwilioCall",
      "TwilioEventMap",
      "TwilioForm",
      "TwilioMessage",
      "TwilioOptions",
      "TwilioStreamEvent",
    ],
  },
  "./vonage": {
    values: ["vonage"],
    types: ["VonageEvent", "VonageOptions"],
  },
  "./webex": {
    values: ["webex"],
    types: [
      "WebexAction",
      "WebexAttachmentAction",
      "WebexCall",
      "WebexEventMap",
      "WebexMeeting",
      "WebexMeetingParticipant",
      "WebexMeetingTranscript",
      "WebexMembership",
      "WebexMessage",
      "WebexNotification",
      "WebexObject",
      "WebexOptions",
      "WebexRecording",
      "WebexResource",
      "WebexResourceData",
      "WebexRoom",
      "WebexServiceApp",
    ],
  },
  "./webex-connect": {
    values: [
      "webexConnect",
      "webexConnectAnswer",
      "webexConnectEvents",
      "webexConnectResponse",
      "webexConnectServiceJwt",
    ],
    types: [
      "WebexConnectAnswerOptions",
      "WebexConnectAnswers",
      "WebexConnectCode",
      "WebexConnectCommonOptions",
      "WebexConnectCustomEvent",
      "WebexConnectEventMap",
      "WebexConnectEventsOptions",
      "WebexConnectOptions",
      "WebexConnectResult",
      "WebexConnectServiceJwt",
      "WebexConnectServiceJwtOptions",
      "WebexConnectSignature",
    ],
  },
  "./webex-connect-outbound": {
    values: ["webexConnectOutbound"],
    types: [
      "WebexConnectAttachment",
      "WebexConnectMessage",
      "WebexConnectMessageEvents",
      "WebexConnectObject",
      "WebexConnectOutboundEventMap",
      "WebexConnectOutboundOptions",
      "WebexConnectReceipt",
      "WebexConnectReceiptStatuses",
    ],
  },
};

/** The names that a program finds behind each entry of package.json. */
function exportedNames(): Readonly<Record<string, Names>> {
  const { checker, exports } = readPublicProgram();
  return Object.fromEntries(
    [...exports].map(([subpath, symbols]) => {
      const names = { values: [] as string[], types: [] as string[] };
      for (const symbol of symbols) {
        const isValue = (targetOf(symbol, checker).flags & ts.SymbolFlags.Value) !== 0;
        names[isValue ? "values" : "types"].push(symbol.name);
      }
      return [subpath, { values: names.values.sort(), types: names.types.sort() }];
    }),
  );
}

const exported = exportedNames();

describe("the exports of the package", () => {
  it("are of the subpaths that are listed here", () => {
    expect(Object.keys(exported)).toEqual(Object.keys(allowed));
  });

  it.each(Object.keys(allowed))("of %s are those that are listed here", (subpath) => {
    expect(exported[subpath]).toEqual(allowed[subpath]);
  });

  it("of the main entry are at most 90, values and types together", () => {
    const { values = [], types = [] } = exported["."] ?? {};
    expect([...values, ...types].length).toBeLessThanOrEqual(90);
    expect(values.length).toBeGreaterThan(10);
  });
});
