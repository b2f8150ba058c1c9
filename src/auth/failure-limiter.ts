import { type ErrorCode, Refusal } from "../errors.js";
import { networkOf } from "../ip/address.js";
import { BoundedCache } from "../lib/bounded-cache.js";
import type { IpAddress } from "../types/credential.js";

/** The most addresses counted at a time; when there are more, those quiet for longest are forgotten. */
const countedAddresses = 10_000;
const windowMs = 60_000;

/** What counts as a failure: a wrong credential, or none. What is our own fault does not. */
const failures: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ERR_CREDENTIAL_MISSING",
  "ERR_CREDENTIAL_REPEATED",
  "ERR_CREDENTIAL_IN_QUERY",
  "ERR_HEADER_MALFORMED",
  "ERR_TOKEN_INVALID",
  "ERR_KEY_INVALID",
  "ERR_SIGNATURE_INVALID",
]);

/**
 * Counts failed credentials per address and minute (ATTACKS C14, I06). IPv6 counts by /64, the least that a network
 * hands out (RFC 6177). Beyond the limit a failure is answered 429 in place of 401: guesses learn no more whether they were
 * right in form, and well-behaved senders back off. A valid credential passes whatever was counted, so nobody who shares
 * an address can lock another out.
 */
export class FailureRateLimiter {
  readonly #max: number;
  readonly #counts = new BoundedCache<{ readonly sinceMs: number; count: number }>(countedAddresses);

  constructor(maxFailuresPerMinute: number) {
    this.#max = maxFailuresPerMinute;
  }

  /** Counts a refusal, and gives what to refuse with: the same, or ERR_TOO_MANY_FAILURES. */
  count(refusal: Refusal, ip: IpAddress | undefined, nowMs: number): Refusal {
    if (!failures.has(refusal.code)) return refusal;
    const network = networkOf(ip);
    let window = this.#counts.get(network);
    if (window === undefined || nowMs - window.sinceMs >= windowMs || nowMs < window.sinceMs) {
      window = { sinceMs: nowMs, count: 0 };
      this.#counts.set(network, window);
    }
    window.count++;
    if (window.count <= this.#max) return refusal;
    return new Refusal(
      "ERR_TOO_MANY_FAILURES",
      `more than ${this.#max} failures from this address within a minute; the last: ${refusal.code}, ${refusal.reason}`,
    );
  }
}
