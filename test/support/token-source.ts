import { type Authenticated, authenticate } from "../../src/auth/authenticate.js";
import { bodyHashMatches } from "../../src/auth/jwt/verify.js";
import { resolveAuth } from "../../src/auth/options.js";
import { Refusal } from "../../src/errors.js";
import { createFakeClock, type FakeClock } from "../../src/testing/fake-clock.js";
import type { Source, SourceEvent, SourceFault } from "../../src/types/source.js";

/** The instant at which the clock of `tokenGate` stands, in seconds since the epoch. */
export const nowSeconds = 1_767_225_600;

/** A source's tokens as a receiver checks them, without a socket. */
export interface TokenGate {
  readonly clock: FakeClock;
  /** The caller, the code of the refusal, or "body" where the token is not for this body. */
  ask(
    rawHeaders: readonly string[],
    request?: { readonly url?: string; readonly body?: string },
  ): Promise<unknown>;
  /** The refusal's words for the operator. */
  reason(rawHeaders: readonly string[], url?: string): Promise<string | undefined>;
}

/** Resolves a source's `auth` the way a receiver named "hooks" does. */
export function tokenGate(source: Source<never> | Source): TokenGate {
  const clock = createFakeClock(new Date(nowSeconds * 1_000));
  const { name, auth } = source;
  const { policy } = resolveAuth(undefined, "createReceiver.auth", {
    name: "hooks",
    clock,
    source: { name, auth, signs: false },
  });
  const check = async (rawHeaders: readonly string[], url: string) =>
    authenticate(url, rawHeaders, policy, clock.now());
  return {
    clock,
    async ask(rawHeaders, { url = "/", body = "{}" } = {}) {
      const found = await check(rawHeaders, url);
      if (found instanceof Refusal) return found.code;
      const { caller, tokenCredential } = found as Authenticated;
      if (caller.method !== "jwt" || tokenCredential === undefined) return caller;
      return bodyHashMatches(tokenCredential, caller.claims, Buffer.from(body)) ? caller : "body";
    },
    async reason(rawHeaders, url = "/") {
      const found = await check(rawHeaders, url);
      return found instanceof Refusal ? found.reason : undefined;
    },
  };
}

/** The events that a source reads from a body. */
export function eventsOf(
  source: Source<never> | Source,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): readonly SourceEvent[] | SourceFault {
  return source.events({ body, kind: "json", headers });
}
