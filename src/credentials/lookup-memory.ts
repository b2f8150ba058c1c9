import type { MaybePromise } from "../contracts/credential.js";
import type { TokenHint, TokenLookupMemory } from "../contracts/source.js";
import { CredentialsUnavailableError } from "../errors.js";
import { BoundedCache } from "../lib/bounded-cache.js";
import type { Clock } from "../lib/clock.js";
import { isPromise } from "../lib/maybe-promise.js";

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

type Lookup = (hint: TokenHint) => unknown;

/**
 * `lookup`, remembering what it answered by the token's `kid`: one lookup per `kid` at a time, what was not found is not
 * asked for again at once, and lookups of unknown ones are rationed, so that a flood of invented kids never becomes a
 * flood of calls (ATTACKS A31). Known keys are served whatever the flood does. A failure is not remembered.
 */
export function rememberingLookup(lookup: Lookup, memory: TokenLookupMemory, clock: Clock): Lookup {
  const answers = new BoundedCache<Answer>(remembered);
  const known = new BoundedCache<true>(remembered);
  const pending = new Map<string, Pending>();
  const ration = createRation(memory.unknownPerMinute);

  const settle = (keyId: string, found: unknown): unknown => {
    const seconds = found === undefined ? memory.missingSeconds : memory.foundSeconds;
    answers.set(keyId, { found, untilMs: clock.now() + seconds * 1_000 });
    if (found === undefined) known.delete(keyId);
    else known.set(keyId, true);
    return found;
  };

  const ask = (hint: TokenHint, keyId: string): MaybePromise<unknown> => {
    const nowMs = clock.now();
    if (known.get(keyId) === undefined && !ration(nowMs)) {
      throw new CredentialsUnavailableError(
        `tokens name more than ${memory.unknownPerMinute} unknown keys a minute; no more are looked up until it is over`,
      );
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

  return (hint) => {
    const { keyId } = hint;
    if (keyId === undefined) return undefined;
    const nowMs = clock.now();
    const answer = answers.get(keyId);
    if (answer !== undefined && nowMs < answer.untilMs) return answer.found;
    const waiting = pending.get(keyId);
    if (waiting !== undefined && nowMs - waiting.startedAtMs < lostAfterMs) return waiting.answer;
    return ask(hint, keyId);
  };
}

/** True as often as `most` times in each minute that begins with the first. */
function createRation(most: number): (nowMs: number) => boolean {
  let beganAtMs = Number.NEGATIVE_INFINITY;
  let used = 0;
  return (nowMs) => {
    const since = nowMs - beganAtMs;
    // A clock that was set back must not close the door until it has caught up.
    if (since < 0 || since >= minuteMs) {
      beganAtMs = nowMs;
      used = 0;
    }
    used += 1;
    return used <= most;
  };
}
