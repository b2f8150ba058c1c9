import { CredentialsUnavailableError } from "../../errors.js";
import { BoundedCache } from "../../lib/bounded-cache.js";
import type { Clock } from "../../lib/clock.js";
import { durationOption, OptionError, own } from "../../lib/options.js";
import { isPromise } from "../../lib/promises.js";
import type { CredentialProvider, MaybePromise } from "../../types/credential.js";
import type { SourceAuth, TokenHint, TokenLookupMemory } from "../../types/source.js";
import { defaultTenant, singleServiceCredentials } from "./define.js";
import { credentialsFromLookup, type FoundToken } from "./lookup.js";

/** Whose a source's credentials become. */
interface SourceOwner {
  /** Name of the source, for messages. */
  readonly sourceName: string;
  readonly service: string;
  readonly clock: Clock;
}

/** How long a source's lookup may take: it asks a provider's API, not a database of our own. */
const lookupTimeout = "5s";

/**
 * The credentials that a source brings: tenant "default", one service. TypeError where they cannot be meant; what the
 * source's own options say wrong, the source has said before.
 */
export function sourceCredentials(auth: SourceAuth, owner: SourceOwner): CredentialProvider {
  const defaultIssuer = own(auth, "defaultIssuer");
  return { ...credentialsOf(auth, owner), defaultIssuer };
}

function credentialsOf(auth: SourceAuth, { sourceName, service, clock }: SourceOwner): CredentialProvider {
  const where = `the source "${sourceName}"`;
  const [jwt, token, memory] = [own(auth, "jwt"), own(auth, "token"), own(auth, "tokenMemory")];
  if ((jwt === undefined) === (token === undefined)) {
    throw new OptionError(where, `: auth must have either \`jwt\` or \`token\``);
  }
  if (token === undefined) return singleServiceCredentials({ name: service, jwt }, where, clock).credentials;
  const remembering = memory === undefined ? undefined : rememberingLookup(token, memory, clock);
  const find = remembering?.find ?? token;
  const owned = ownedBy(service);
  const lookup = (hint: TokenHint): unknown => {
    const found = find(hint);
    return isPromise(found) ? found.then(owned) : owned(found);
  };
  const credentials = credentialsFromLookup(
    { token: lookup as (hint: TokenHint) => FoundToken | undefined },
    { clock, timeout: lookupTimeout },
  );
  return remembering === undefined ? credentials : { ...credentials, noteGenuine: remembering.noteGenuine };
}

/** Adds the owner to what a lookup found, as the same object for the same one: compiled keys hang on its identity. */
function ownedBy(service: string): (found: unknown) => unknown {
  const known = new WeakMap<object, object>();
  return (found) => {
    if (typeof found !== "object" || found === null || Array.isArray(found)) return found;
    const earlier = known.get(found);
    if (earlier !== undefined) return earlier;
    const whole = { id: "jwt-1", ...found, tenant: defaultTenant, service };
    known.set(found, whole);
    return whole;
  };
}

/** Keys remembered, found or not. */
const remembered = 1_000;
/** After this a lookup that gave no answer is given up, so that its key can be asked for again. */
const lostAfterMs = 30_000;
const minuteMs = 60_000;

interface Answer {
  readonly found: unknown;
  readonly untilMs: number;
}

interface Pending {
  readonly startedAtMs: number;
  readonly answer: Promise<unknown>;
}

/** Addresses remembered that have sent a genuine delivery. */
const rememberedSenders = 1_000;

/** A lookup that remembers. */
interface RememberingLookup {
  find(hint: TokenHint): unknown;
  /** Notes a network that has sent a genuine delivery: part of the ration is kept for such. */
  noteGenuine(network: string): void;
}

/**
 * `lookup`, remembering what it answered by the token's `kid`: one lookup per `kid` at a time, what was not found is not
 * asked for again at once, and lookups of unknown ones are rationed, so that a flood of invented kids never becomes a
 * flood of calls (ATTACKS A31). Known keys are served whatever the flood does, and neither one address nor many new ones
 * can use up what is kept for genuine senders. A failure is not remembered.
 */
export function rememberingLookup(
  lookup: (hint: TokenHint) => unknown,
  memory: TokenLookupMemory,
  clock: Clock,
): RememberingLookup {
  const answers = new BoundedCache<Answer>(remembered);
  const known = new BoundedCache<true>(remembered);
  const genuine = new BoundedCache<true>(rememberedSenders);
  const pending = new Map<string, Pending>();
  const ration = createRation(memory.unknownPerMinute);
  const bounds = { min: "1s", max: "1d", fallback: "1m" } as const;
  const foundMs = durationOption(memory.found ?? null, "source.auth.tokenMemory.found", bounds);
  const missingMs = durationOption(memory.missing ?? null, "source.auth.tokenMemory.missing", bounds);

  const settle = (keyId: string, found: unknown): unknown => {
    answers.set(keyId, { found, untilMs: clock.now() + (found === undefined ? missingMs : foundMs) });
    if (found === undefined) known.delete(keyId);
    else known.set(keyId, true);
    return found;
  };

  const ask = (hint: TokenHint, keyId: string): MaybePromise<unknown> => {
    const nowMs = clock.now();
    const { network = "unknown" } = hint;
    if (known.get(keyId) === undefined) {
      const fault = ration(network, genuine.get(network) === true, nowMs);
      if (fault !== undefined) throw new CredentialsUnavailableError(fault);
    }
    const found = lookup(hint);
    if (!isPromise(found)) return settle(keyId, found);
    const own: Pending = { startedAtMs: nowMs, answer: found.then((value) => settle(keyId, value)) };
    const end = (): void => {
      if (pending.get(keyId) === own) pending.delete(keyId);
    };
    own.answer.then(end, end);
    pending.set(keyId, own);
    return own.answer;
  };

  return {
    find(hint) {
      const { keyId } = hint;
      if (keyId === undefined) return undefined;
      const nowMs = clock.now();
      const answer = answers.get(keyId);
      if (answer !== undefined && nowMs < answer.untilMs) return answer.found;
      const waiting = pending.get(keyId);
      if (waiting !== undefined && nowMs - waiting.startedAtMs < lostAfterMs) return waiting.answer;
      return ask(hint, keyId);
    },
    noteGenuine: (network) => genuine.set(network, true),
  };
}

/** Counts lookups of unknown keys in each minute that begins with the first; says why one may not be made. */
function createRation(
  most: number,
): (network: string, genuine: boolean, nowMs: number) => string | undefined {
  const third = Math.floor(most / 3);
  const mostOfOne = Math.max(1, third);
  const used = new Map<string, number>();
  let beganAtMs = Number.NEGATIVE_INFINITY;
  let all = 0;
  return (network, genuine, nowMs) => {
    const since = nowMs - beganAtMs;
    // A clock that was set back must not close the door until it has caught up.
    if (since < 0 || since >= minuteMs) {
      beganAtMs = nowMs;
      all = 0;
      used.clear();
    }
    const usedByOne = used.get(network) ?? 0;
    if (usedByOne >= mostOfOne) {
      return (
        `tokens from one address name more than ${mostOfOne} unknown keys a minute; no more are looked up for it until ` +
        "the minute is over (if that address is a proxy of yours, declare it in clientAddress.trustedProxies)"
      );
    }
    const mostOfAll = genuine ? most : most - third;
    if (all >= mostOfAll) {
      return `tokens name more than ${mostOfAll} unknown keys a minute; no more are looked up until the minute is over`;
    }
    used.set(network, usedByOne + 1);
    all += 1;
    return undefined;
  };
}
