import type { NewDelivery, TokenUse } from "../../contracts/engine.js";

interface Known {
  readonly digest: string;
  readonly untilMs: number;
}

/** As many as one purge looks at. */
const perTidy = 1_000;

/** A clock that was set back must not make a used token good again. */
const tokenGraceMs = 2 * 3_600_000;

/** The ids that are remembered, and the tokens that were used. */
export class Remembered {
  readonly #ids = new Map<string, Known>();
  readonly #tokens = new Map<string, TokenUse>();

  /** The digest under which an id came; undefined where it is new, or forgotten. */
  digestOf(key: string, nowMs: number): string | undefined {
    const known = this.#ids.get(key);
    return known !== undefined && known.untilMs > nowMs ? known.digest : undefined;
  }

  add(key: string, digest: string, untilMs: number): void {
    // Anew, so that the map stays in the order of acceptance.
    this.#ids.delete(key);
    this.#ids.set(key, { digest, untilMs });
  }

  /** Whether a token was used with another delivery. */
  wasUsed({ tokenId, delivery }: TokenUse): boolean {
    const known = this.#tokens.get(tokenId);
    return known !== undefined && known.delivery !== delivery;
  }

  use(use: TokenUse): void {
    if (!this.#tokens.has(use.tokenId)) this.#tokens.set(use.tokenId, use);
  }

  /** Forgets what need not be known any more, some of it at a time. */
  tidy(nowMs: number, wallMs: number): void {
    let left = perTidy;
    for (const [key, { untilMs }] of this.#ids) {
      if (--left < 0) break;
      if (untilMs <= nowMs) this.#ids.delete(key);
    }
    left = perTidy;
    for (const [tokenId, { expiresAtMs }] of this.#tokens) {
      if (--left < 0) break;
      if (expiresAtMs + tokenGraceMs < wallMs) this.#tokens.delete(tokenId);
    }
  }
}

/** The key of deduplication. */
export function keyOf({ receiver, source, tenant, service }: NewDelivery, id: string): string {
  return JSON.stringify([receiver, source, tenant, service, id]);
}
