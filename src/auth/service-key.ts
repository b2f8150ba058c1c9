import { hash, timingSafeEqual } from "node:crypto";
import { CredentialsUnavailableError, Refusal } from "../errors.js";
import { isPromise } from "../lib/maybe-promise.js";
import { printable } from "../lib/printable.js";
import type { CredentialProvider, KeyCredential, KeyKind, MaybePromise } from "../types/credential.js";

/** The longest key that can be right, in bytes. Of a longer one, this much is hashed before it is refused. */
export const maxKeyBytes = 512;

/** What a request presented in the key header, hashed. */
export interface PresentedKey {
  /** SHA-256 of the value's bytes; of the first 512 where it is longer. */
  readonly digest: Buffer;
  /** Longer than any key that can be right. */
  readonly tooLong: boolean;
}

/**
 * Hashes the value of a key header with one SHA-256. `value` is a header as Node gives it, one character per byte:
 * the bytes count as they came, without trimming, case folding or normalisation.
 */
export function hashKey(value: string): PresentedKey {
  const tooLong = value.length > maxKeyBytes;
  const bytes = Buffer.from(tooLong ? value.slice(0, maxKeyBytes) : value, "latin1");
  return { digest: hash("sha256", bytes, "buffer"), tooLong };
}

/**
 * The key credential that a header value proves, or why none: ERR_KEY_INVALID for every bad key, with a reason that
 * only the operator sees; ERR_CREDENTIALS_UNAVAILABLE where the source cannot answer; ERR_INTERNAL where it breaks
 * its contract. `kinds` are tried in order. Answers without a promise where the source does.
 */
export function findCaller(
  header: string,
  kinds: readonly KeyKind[],
  source: CredentialProvider,
  nowMs: number,
): MaybePromise<KeyCredential | Refusal> {
  const presented = hashKey(header);
  const hex = presented.digest.toString("hex");
  try {
    for (let tried = 0; tried < kinds.length; tried++) {
      const kind = kinds[tried] as KeyKind;
      const found = source.findKey(hex, kind);
      if (isPromise(found)) return finishLater(found, { presented, hex, kinds, tried, source, nowMs });
      if (found !== undefined) return judgeKey(found, kind, presented, nowMs);
    }
    return judgeUnknown(presented, otherKindOf(hex, kinds, source), kinds);
  } catch (error) {
    return refusalOf(error);
  }
}

interface Search {
  readonly presented: PresentedKey;
  readonly hex: string;
  readonly kinds: readonly KeyKind[];
  readonly tried: number;
  readonly source: CredentialProvider;
  readonly nowMs: number;
}

async function finishLater(
  first: Promise<KeyCredential | undefined>,
  search: Search,
): Promise<KeyCredential | Refusal> {
  const { presented, hex, kinds, source, nowMs } = search;
  try {
    let pending: MaybePromise<KeyCredential | undefined> = first;
    for (const kind of kinds.slice(search.tried)) {
      const found = await (pending ?? source.findKey(hex, kind));
      if (found !== undefined) return judgeKey(found, kind, presented, nowMs);
      pending = undefined;
    }
    // Keys of other kinds are not asked for here: a guess would cost the user's database a second query.
    return judgeUnknown(presented, undefined, kinds);
  } catch (error) {
    return refusalOf(error);
  }
}

/**
 * Judges a key that the source found. The digests are compared once more in constant time, so that a source which
 * matches loosely lets nobody in (ATTACKS C01, C06). Times count to the millisecond: a key is refused from
 * `expiresAtMs` on (C08). ERR_KEY_INVALID, or ERR_INTERNAL where the source returned what it was not asked for.
 */
export function judgeKey(
  found: KeyCredential,
  kind: KeyKind,
  presented: PresentedKey,
  nowMs: number,
): KeyCredential | Refusal {
  if (found.kind !== kind || (kind === "service-key" && found.owner.service === undefined)) {
    return new Refusal("ERR_INTERNAL", `the credential source answered a ${kind} lookup with something else`);
  }
  const same = found.digest.length === 32 && timingSafeEqual(found.digest, presented.digest);
  if (!same || presented.tooLong) return judgeUnknown(presented, undefined, [kind]);
  const name = nameOf(found);
  if (!found.active) {
    return invalid("inactive", `${name} is inactive`);
  }
  // Written so that NaN, from a source of somebody's own, refuses.
  if (!(nowMs < found.expiresAtMs)) {
    return invalid("expired", `${name} expired at ${new Date(found.expiresAtMs).toISOString()}`);
  }
  if (!(nowMs >= found.notBeforeMs)) {
    return invalid(
      "not-yet-valid",
      `${name} is not valid before ${new Date(found.notBeforeMs).toISOString()}`,
    );
  }
  return found;
}

function judgeUnknown(
  presented: PresentedKey,
  other: KeyCredential | undefined,
  kinds: readonly KeyKind[],
): Refusal {
  // Compared although the answer is known: a key that is not found takes the steps of one that is (ATTACKS C07).
  timingSafeEqual(presented.digest, presented.digest);
  if (presented.tooLong) return invalid("length", `the key is longer than ${maxKeyBytes} bytes`);
  const wanted = kinds.join(" or ");
  if (other !== undefined) return invalid("kind", `${nameOf(other)} was sent where a ${wanted} is accepted`);
  return invalid("unknown", `no ${wanted} has the value that was sent`);
}

/** A key of a kind that the route does not take, for the operator's reason only. */
function otherKindOf(
  hex: string,
  kinds: readonly KeyKind[],
  source: CredentialProvider,
): KeyCredential | undefined {
  const other = (["service-key", "profile-key"] as const).find((kind) => !kinds.includes(kind));
  if (other === undefined) return undefined;
  const found = source.findKey(hex, other);
  if (!isPromise(found)) return found;
  found.catch(() => {
    // The answer is settled without it.
  });
  return undefined;
}

function nameOf(key: KeyCredential): string {
  const { tenant, service } = key.owner;
  const owner = service === undefined ? "" : `, service "${printable(service)}"`;
  return `${key.kind} "${printable(key.id)}" of tenant "${printable(tenant)}"${owner}`;
}

function invalid(fault: string, reason: string): Refusal {
  return new Refusal("ERR_KEY_INVALID", reason, undefined, fault);
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof CredentialsUnavailableError) {
    return new Refusal("ERR_CREDENTIALS_UNAVAILABLE", error.message, error);
  }
  return new Refusal("ERR_INTERNAL", "the credential source failed in a way it should not", error);
}
