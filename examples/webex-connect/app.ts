// The authentication table of Webex Connect's API page, written down as routes. What each API accepts stands in one
// place; the credentials, with their rotation and the tenant's allowlist, come from outside.
import express, { type Express, type RequestHandler } from "express";
import {
  type Clock,
  type CredentialKind,
  type CredentialSource,
  createReceiver,
  type Logger,
  requireAuth,
} from "hookgate";

interface Route {
  readonly api: string;
  readonly path: string;
  readonly accept: readonly CredentialKind[];
}

const serviceKeyOrJwt: readonly CredentialKind[] = ["jwt", "service-key"];
const profileKey: readonly CredentialKind[] = ["profile-key"];
const jwtOnly: readonly CredentialKind[] = ["jwt"];

/** Paths of the first three are the vendor's; the others are not published in one place, so they are ours. */
export const routes: readonly Route[] = [
  { api: "Messaging API v1", path: "/resources/v1/messaging", accept: serviceKeyOrJwt },
  { api: "Messaging API v2", path: "/v2/messages", accept: serviceKeyOrJwt },
  { api: "Custom Event API v1", path: "/resources/v1/events/externalevent", accept: serviceKeyOrJwt },
  { api: "RCS Capability Lookup", path: "/rcs/v1/capabilities", accept: serviceKeyOrJwt },
  { api: "Contact Policy APIs", path: "/v1/contact-policies", accept: profileKey },
  { api: "Profile API v2", path: "/v2/profiles", accept: profileKey },
  { api: "Thread APIs", path: "/v1/threads", accept: jwtOnly },
  { api: "Segment APIs", path: "/v1/segments", accept: jwtOnly },
  { api: "Topic APIs", path: "/v1/topics", accept: jwtOnly },
];

/** The path of an inbound webhook; the receiver takes any JSON that comes in on it. */
export const inboundWebhook: Route = {
  api: "Inbound Webhooks",
  path: "/events/DEMO0WEBHOOK",
  accept: serviceKeyOrJwt,
};

export interface AppOptions {
  readonly credentials: CredentialSource;
  /** Told of every inbound event that was handled. */
  readonly onEvent?: (data: unknown, service: string) => void;
  /** For tests: a clock that can be moved. */
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export function createApp({ credentials, onEvent, clock, logger }: AppOptions): Express {
  const app = express();
  for (const { api, path, accept } of routes) {
    app.all(path, requireAuth({ name: api, accept, credentials, clock, logger }), answer(api));
  }

  const receiver = createReceiver({
    name: "inbound-webhooks",
    auth: { accept: inboundWebhook.accept, credentials },
    // Inbound webhooks carry whatever their sender likes; the webhook's address says what it is.
    type: () => "inbound",
    clock,
    logger,
  });
  receiver.on("inbound", (event, { caller }) => {
    onEvent?.(event.data, "service" in caller ? caller.service : "");
  });
  app.all(inboundWebhook.path, receiver.middleware());
  return app;
}

function answer(api: string): RequestHandler {
  return (req, res) => {
    res.json({ api, caller: req.caller?.method });
  };
}
