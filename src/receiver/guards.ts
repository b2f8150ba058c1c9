import { randomUUID } from "node:crypto";
import { type AuthOptions, authOptionNames, resolveAuth } from "../auth/options.js";
import { Refusal } from "../errors.js";
import { assertCalled, type Middleware } from "../http/middleware.js";
import { type Challenge, createAnswers } from "../http/responses.js";
import { type AllowIpsOptions, type Allowlist, resolveAllowIps } from "../ip/allowlist.js";
import {
  type ClientAddressOptions,
  type ClientAddressResolver,
  clientAddressResolver,
} from "../ip/client-address.js";
import { type Clock, parseClock } from "../lib/clock.js";
import { assertOptions, optionKeys, own, stringOption, switchOption } from "../lib/options.js";
import type { Hooks, Logger } from "../types/report.js";
import { admitCaller, authenticateSender, checkAddress, checkOwnerAllowlist } from "./checks.js";
import { IncomingDelivery } from "./incoming-delivery.js";
import { asyncCheck, type Check, check, Pipeline } from "./pipeline.js";
import { createReporter, observeCredentials, type Reporter } from "./reporter.js";

/** Options that every guard takes. */
export interface GuardOptions {
  /** Proxies in front of this server. Default: none. */
  readonly clientAddress?: ClientAddressOptions | undefined;
  /** Name in logs and reports. Default: the guard's own name. */
  readonly name?: string | undefined;
  /** pino or anything like it. Default: text on standard error. */
  readonly logger?: Logger | undefined;
  /** Functions that are called with reports; a guard calls `refused` only. Default: none. */
  readonly hooks?: Pick<Hooks, "refused"> | undefined;
  /** Whether logged errors have their stack. Default: true. */
  readonly keepStacks?: boolean | undefined;
  /** For tests. Default: the machine's clock. */
  readonly clock?: Clock | undefined;
}

/** Options of `requireAuth`: what is accepted, and from where; or the one-line form of a single service. */
export type RequireAuthOptions = GuardOptions &
  AuthOptions & {
    /** `realm` of the challenge (RFC 9110 section 11.5). Default: the guard's name. */
    readonly realm?: string | undefined;
  };

const guardOptions = optionKeys<GuardOptions>({
  clientAddress: true,
  name: true,
  logger: true,
  hooks: true,
  keepStacks: true,
  clock: true,
});

const requireAuthOptions = optionKeys<RequireAuthOptions>({
  clientAddress: true,
  name: true,
  logger: true,
  hooks: true,
  keepStacks: true,
  clock: true,
  realm: true,
  serviceKey: true,
  jwt: true,
  accept: true,
  credentials: true,
  keyHeader: true,
  dangerouslyAcceptAnyone: true,
});

/**
 * Middleware that lets through only requests from listed addresses; others are answered 403 (ERR_ADDRESS_REFUSED).
 * Express's `trust proxy` has no effect on it: proxies are declared in `clientAddress`. An empty list lets nobody
 * through.
 *
 * @example
 * app.use("/internal", requireAllowedIp(["10.0.0.0/8", "2001:db8::/32"]));
 */
export function requireAllowedIp(
  allowIps: AllowIpsOptions | Allowlist,
  options: GuardOptions = {},
): Middleware {
  const where = "requireAllowedIp";
  assertCalled(allowIps, where, 'app.use(requireAllowedIp(["203.0.113.0/24"]))');
  const list = resolveAllowIps(allowIps, `${where}'s list`);
  assertOptions(options, guardOptions, `${where}'s options`);
  const parts = resolveGuard(options, where);
  const config = { ...parts, allowIps: [list] };
  return createGuard([check("address", checkAddress)], config, { realm: parts.name, acceptsJwt: false });
}

/**
 * Middleware that lets through only requests with a valid credential and then leaves who it was on `req.caller`. A JWT
 * decides alone where one is sent and accepted; then the allowlists of the caller's tenant and service are asked.
 * Refuses as a receiver does: 400, 401, 403 or 503 with problem+json. Guards on one path add up.
 *
 * @example
 * app.use("/v1/messages", requireAuth({ accept: ["jwt", "service-key"], credentials }));
 */
export function requireAuth(options: RequireAuthOptions): Middleware {
  const where = "requireAuth";
  assertCalled(options, where, "app.use(requireAuth({ accept, credentials }))");
  const { auth, rest } = split(options, where);
  const parts = resolveGuard(rest, where);
  const { policy } = resolveAuth(auth, where, parts);
  observeCredentials(policy.credentials, parts.reporter);
  const realm = own(options, "realm");
  return createGuard(
    [
      asyncCheck("credential", authenticateSender, admitCaller),
      check("owner allowlist", checkOwnerAllowlist),
    ],
    { ...parts, auth: policy, rationsLookups: false },
    {
      realm: realm === undefined ? parts.name : stringOption(realm, `${where}.realm`),
      acceptsJwt: policy.tokens !== undefined,
    },
  );
}

/** Middleware of these checks: calls `next` where all of them pass. */
function createGuard<Config extends GuardParts>(
  checks: readonly Check<Config>[],
  config: Config,
  challenge: Challenge,
): Middleware {
  const answers = createAnswers(challenge);
  const { reporter } = config;
  const pipeline = new Pipeline(checks, config, {
    wouldRefuse: (delivery, refusal) => reporter.refused(delivery.reported(), refusal, false),
    ended(delivery, found) {
      if (!(found instanceof Refusal)) return delivery.next?.();
      reporter.refused(delivery.reported(), found, true);
      if (delivery.res !== undefined)
        answers.send(delivery.res, { status: "refused", refusal: found }, delivery);
    },
    // What a later middleware throws is its error, to be handed on as such.
    threw: (delivery, error) => delivery.next?.(error),
  });
  return function guard(req, res, next) {
    pipeline.run(new IncomingDelivery(pipeline, randomUUID(), req, res, next));
  };
}

interface GuardParts {
  readonly name: string;
  readonly clock: Clock;
  readonly clientAddress: ClientAddressResolver;
  readonly reporter: Reporter;
}

function resolveGuard(options: GuardOptions, where: string): GuardParts {
  const name = stringOption(own(options, "name") ?? where, `${where}.name`);
  const clock = parseClock(own(options, "clock"), `${where}.clock`);
  const clientAddress = clientAddressResolver(own(options, "clientAddress"), `${where}.clientAddress`);
  const reporter = createReporter({
    name,
    clock,
    where,
    logger: own(options, "logger"),
    hooks: own(options, "hooks"),
    keepStacks: switchOption(own(options, "keepStacks"), `${where}.keepStacks`, true),
  });
  return { name, clock, clientAddress, reporter };
}

/** `requireAuth` takes `auth` and the guard's own options in one object. */
function split(options: RequireAuthOptions, where: string): { auth: object; rest: GuardOptions } {
  assertOptions(options, requireAuthOptions, where);
  const entries = Object.entries(options);
  return {
    auth: Object.fromEntries(entries.filter(([key]) => authOptionNames.some((name) => name === key))),
    rest: Object.fromEntries(entries.filter(([key]) => guardOptions.some((name) => name === key))),
  };
}
