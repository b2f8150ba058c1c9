// Webex Connect's entrances, far enough that a client written against its documentation works unchanged: Messaging v1
// and v2, custom events, inbound webhooks. Beside them its authentication table, written down as routes. The
// credentials, with their rotation and the tenant's allowlist, come from outside.
import { randomUUID } from "node:crypto";
import express, { type Express, type Request, type RequestHandler, type Response } from "express";
import {
  type Caller,
  type Clock,
  type CredentialKind,
  type CredentialProvider,
  createReceiver,
  type Logger,
  type ReceiverOptions,
  requireAuth,
} from "hookgate";
import {
  type WebexConnectAnswers,
  type WebexConnectCode,
  type WebexConnectCustomEvent,
  type WebexConnectSignature,
  webexConnect,
  webexConnectEvents,
  webexConnectResponse,
} from "hookgate/webex-connect";
import { type Message, messagingV1, messagingV2, smsV1 } from "./messaging.js";

interface Route {
  readonly api: string;
  readonly path: string;
  readonly accept: readonly CredentialKind[];
  /** A body that it takes. */
  readonly sample: object;
}

const serviceKeyOrJwt: readonly CredentialKind[] = ["jwt", "service-key"];
const profileKey: readonly CredentialKind[] = ["profile-key"];
const jwtOnly: readonly CredentialKind[] = ["jwt"];

const messages = {
  v1: {
    api: "Messaging API v1",
    path: "/resources/v1/messaging",
    accept: serviceKeyOrJwt,
    sample: {
      deliverychannel: "sms",
      destination: [{ msisdn: ["+15550100"] }],
      channels: { sms: { text: "Hello" } },
    },
  },
  v2: {
    api: "Messaging API v2",
    path: "/v2/messages",
    accept: serviceKeyOrJwt,
    sample: {
      channel: "sms",
      from: "15550199",
      to: [{ msisdn: ["+15550100"] }],
      content: { type: "text", text: "Hello" },
    },
  },
  sms: {
    api: "Send SMS API v1",
    path: "/v1/sms/messages",
    accept: serviceKeyOrJwt,
    sample: { from: "15550199", to: "+15550100", content: "Hello", contentType: "text" },
  },
} as const;

/** Express takes it with and without a slash at its end, as the vendor does. */
const customEvents: Route = {
  api: "Custom Event API v1",
  path: "/resources/v1/events/externalevent",
  accept: serviceKeyOrJwt,
  sample: { events: [{ evtid: "1789", correlationid: "ABC123", parameters: { mobile: "+15550100" } }] },
};

/** Behind the guard there is nothing. The path of the first is the vendor's; the others are ours. */
const guarded: readonly Route[] = [
  { api: "RCS Capability Lookup", path: "/v1/rcs/capabilities", accept: serviceKeyOrJwt, sample: {} },
  { api: "Contact Policy APIs", path: "/v1/contact-policies", accept: profileKey, sample: {} },
  { api: "Profile API v2", path: "/v2/profiles", accept: profileKey, sample: {} },
  { api: "Thread APIs", path: "/v1/threads", accept: jwtOnly, sample: {} },
  { api: "Segment APIs", path: "/v1/segments", accept: jwtOnly, sample: {} },
  { api: "Topic APIs", path: "/v1/topics", accept: jwtOnly, sample: {} },
];

export const routes: readonly Route[] = [messages.v1, messages.v2, messages.sms, customEvents, ...guarded];

/** A webhook that somebody has set up. */
export interface Webhook {
  readonly id: string;
  readonly state?: "active" | "inactive";
  /** Asking for a credential is each webhook's own choice. Default: true. */
  readonly authenticated?: boolean;
  readonly signature?: WebexConnectSignature;
  /** Takes a JWT from the header `key` as well, as the vendor's page on inbound webhooks has it. */
  readonly tokenInKeyHeader?: boolean;
  /** Takes a bare key from `Authorization` as well, as some clients send it. */
  readonly sandbox?: boolean;
}

/** The webhook that is there unless others are named; it takes any JSON or XML. */
export const inboundWebhook: Route = {
  api: "Inbound Webhooks",
  path: "/events/DEMO0WEBHOOK",
  accept: serviceKeyOrJwt,
  sample: { any: "thing" },
};

export interface AppOptions {
  readonly credentials: CredentialProvider;
  /** Default: `webex`. */
  readonly answers?: WebexConnectAnswers;
  readonly webhooks?: readonly Webhook[];
  /** For webhooks without a credential, which the tenant's own list cannot be found for. */
  readonly allowIps?: ReceiverOptions["allowIps"];
  /** Told of every inbound webhook that was handled. */
  readonly onEvent?: (data: unknown, service: string) => void;
  readonly onCustomEvent?: (event: WebexConnectCustomEvent, service: string) => void;
  readonly onMessage?: (message: Message, service: string) => void;
  /** For tests: a clock that can be moved. */
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export function createApp(options: AppOptions): Express {
  const { credentials, clock, logger, answers = "webex" } = options;
  const app = express();
  for (const { api, path, accept } of guarded) {
    app.all(path, requireAuth({ name: api, accept, credentials, clock, logger }), answer(api));
  }
  addMessaging(app, options);

  const events = createReceiver({
    name: "custom-events",
    source: webexConnectEvents({ answers }),
    auth: { accept: customEvents.accept, credentials },
    clock,
    logger,
  });
  events.onAny((event, { caller }) => options.onCustomEvent?.(event.data, serviceOf(caller)));
  app.all(customEvents.path, events.middleware());

  app.all("/events/:id", inbound(options));
  return app;
}

function addMessaging(app: Express, options: AppOptions): void {
  const { credentials, clock, logger, answers = "webex" } = options;
  const speaking = { answers, now: () => clock?.now() ?? Date.now() };
  const entrances = [
    { ...messages.v1, source: messagingV1(speaking) },
    { ...messages.v2, source: messagingV2(speaking) },
    { ...messages.sms, source: smsV1(speaking) },
  ];
  for (const { path, accept, source } of entrances) {
    const receiver = createReceiver({
      name: source.name,
      source,
      auth: { accept, credentials },
      clock,
      logger,
    });
    receiver.onAny((event, { caller }) => options.onMessage?.(event.data, serviceOf(caller)));
    app.all(path, receiver.middleware());
  }
}

/** One receiver for each webhook; the router answers for those that there are not. */
function inbound(options: AppOptions): RequestHandler {
  const { credentials, clock, logger, allowIps, answers = "webex" } = options;
  const webhooks: readonly Webhook[] = options.webhooks ?? [{ id: "DEMO0WEBHOOK" }];
  const known = new Map(
    webhooks.map(({ id, state = "active", authenticated = true, ...more }) => {
      const receiver = createReceiver({
        name: `inbound-${id}`,
        source: webexConnect({ answers, ...more }),
        auth: authenticated
          ? { accept: inboundWebhook.accept, credentials }
          : { dangerouslyAcceptAnyone: true },
        allowIps: authenticated ? undefined : allowIps,
        clock,
        logger,
      });
      receiver.on("inbound", (event, { caller }) => options.onEvent?.(event.data, serviceOf(caller)));
      return [id, { state, middleware: receiver.middleware() }];
    }),
  );
  return (req, res, next) => {
    const webhook = known.get(String(req.params.id));
    if (webhook?.state === "active") return webhook.middleware(req, res, next);
    if (answers === "http") return next();
    return refuse(req, res, webhook === undefined ? "7008" : "7007");
  };
}

/** Nothing of the body was read, so the connection is not kept. */
function refuse(_req: Request, res: Response, code: WebexConnectCode): void {
  const { status, body } = webexConnectResponse(code, randomUUID());
  res.status(status).set("Connection", "close").json(body);
}

function serviceOf(caller: Caller): string {
  return "service" in caller ? caller.service : "";
}

function answer(api: string): RequestHandler {
  return (req, res) => {
    res.json({ api, caller: req.caller?.method });
  };
}
