import { type Authenticated, authenticate } from "../auth/authenticate.js";
import { type AuthOptions, authOptionNames, resolveAuth } from "../auth/options.js";
import { Refusal } from "../errors.js";
import { assertCalled } from "../http/forgotten-call.js";
import { createGuard, type GuardedRequest, type Middleware } from "../http/guard.js";
import { type AllowIpsOptions, type Allowlist, resolveAllowIps } from "../ip/allowlist.js";
import {
  type ClientAddressOptions,
  type ClientAddressResolver,
  clientAddressResolver,
  findSender,
  refuseAddress,
} from "../ip/client-address.js";
import { type Clock, parseClock } from "../lib/clock.js";
import { assertOptions, own, stringOption, switchOption } from "../lib/options.js";
import type { Logger } from "../types/logger.js";
import type { Hooks } from "../types/report.js";
import { createObserver, type Observer, observeCredentials } from "./reporter.js";

/** Options that every guard takes. */
export interface GuardOptions {
  /** Proxies in front of this server. Default: none. */
  readonly clientAddress?: ClientAddressOptions | undefined;
  /** Name in logs and reports. Default: the guard's own name. */
  readonly name?: string | undefined;
  readonly logger?: Logger | undefined;
  /** A guard tells `refused` only. */
  readonly hooks?: Pick<Hooks, "refused"> | undefined;
  /** Whether logged errors have their stack. Default: true. */
  readonly keepStacks?: boolean | undefined;
  readonly clock?: Clock | undefined;
}

/** Options of `requireAuth`: what is accepted, and from where; or the one-line form of a single service. */
export type RequireAuthOptions = GuardOptions &
  AuthOptions & {
    /** `realm` of the challenge (RFC 9110 section 11.5). Default: the guard's name. */
    readonly realm?: string | undefined;
  };

const guardOptions = ["clientAddress", "name", "logger", "hooks", "keepStacks", "clock"];

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
  return createGuard(
    (req, requestId) => {
      const seen = see(parts, req, requestId);
      const refusal = refuseAddress([list], seen.sender, seen.shadow);
      if (refusal !== undefined) parts.observer.refused(seen.request, refusal, true);
      return refusal;
    },
    { realm: parts.name, acceptsJwt: false },
  );
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
  observeCredentials(policy.credentials, parts.observer);
  const realm = own(options, "realm");
  return createGuard(
    (req, requestId) => {
      const seen = see(parts, req, requestId);
      const judge = (caller: Authenticated | Refusal): Refusal | undefined => {
        const refusal =
          caller instanceof Refusal
            ? caller
            : refuseAddress(caller.owner?.allowIps ?? [], seen.sender, seen.shadow);
        if (refusal !== undefined) parts.observer.refused(seen.request, refusal, true);
        else if (!(caller instanceof Refusal)) req.caller = caller.caller;
        return refusal;
      };
      const { url = "", rawHeaders } = req;
      try {
        const caller = authenticate(url, rawHeaders, policy, parts.clock.now());
        return caller instanceof Promise ? caller.catch(internalError).then(judge) : judge(caller);
      } catch (error) {
        return judge(internalError(error));
      }
    },
    {
      realm: realm === undefined ? parts.name : stringOption(realm, `${where}.realm`),
      acceptsJwt: policy.tokens !== undefined,
    },
  );
}

interface GuardParts {
  readonly name: string;
  readonly clock: Clock;
  readonly clientAddress: ClientAddressResolver;
  readonly observer: Observer;
}

function resolveGuard(options: GuardOptions, where: string): GuardParts {
  const name = stringOption(own(options, "name") ?? where, `${where}.name`);
  const clock = parseClock(own(options, "clock"), `${where}.clock`);
  const clientAddress = clientAddressResolver(own(options, "clientAddress"), `${where}.clientAddress`);
  const observer = createObserver({
    name,
    clock,
    where,
    logger: own(options, "logger"),
    hooks: own(options, "hooks"),
    keepStacks: switchOption(own(options, "keepStacks"), `${where}.keepStacks`, true),
  });
  return { name, clock, clientAddress, observer };
}

/** `requireAuth` takes `auth` and the guard's own options in one object. */
function split(options: RequireAuthOptions, where: string): { auth: object; rest: GuardOptions } {
  assertOptions(options, [...guardOptions, "realm", ...authOptionNames], where);
  const entries = Object.entries(options);
  return {
    auth: Object.fromEntries(entries.filter(([key]) => authOptionNames.includes(key))),
    rest: Object.fromEntries(entries.filter(([key]) => guardOptions.includes(key))),
  };
}

/** Where a request comes from, and what reports say of it. */
function see(parts: GuardParts, req: GuardedRequest, requestId: string) {
  const sender = findSender(parts.clientAddress, req.socket.remoteAddress, req.rawHeaders);
  const request = { requestId, method: req.method ?? "", address: sender.text };
  const shadow = { wouldRefuse: (refusal: Refusal): void => parts.observer.refused(request, refusal, false) };
  return { sender, request, shadow };
}

function internalError(error: unknown): Refusal {
  return new Refusal("ERR_INTERNAL", "a check threw", error);
}
