import type { Connection } from "./connection.js";
import * as sql from "./statements.js";

/**
 * The clock of due times. It starts at the later of the machine's clock and the last time in the store, then follows the
 * monotonic clock and never goes back: setting the machine's clock neither expires nor delays anything (ATTACKS H15).
 */
export class StoreClock {
  readonly #monotonicMs: () => number;
  #offsetMs: number;

  constructor(startMs: number, monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
    this.#offsetMs = startMs - monotonicMs();
  }

  /** Milliseconds; at the start those since the epoch. */
  now(): number {
    return this.#monotonicMs() + this.#offsetMs;
  }

  /** Follows another process that is ahead. */
  follow(readingMs: number): void {
    this.#offsetMs = Math.max(this.#offsetMs, readingMs - this.#monotonicMs());
  }
}

/** A clock is trusted if it is no further ahead of the last heartbeat: processes pause, and clocks are corrected. */
const mostAheadMs = 3_600_000;
/** A clock that is further ahead is trusted after the store was in use with it for so long. */
const provenMs = 6 * 3_600_000;
const noteEveryMs = 30_000;

/**
 * The machine's clock as stored. `wall`: its time at the last heartbeat, 0 if there was none. While the clock is too far ahead,
 * `wall` stays; `doubtedAt` is then the last time of the clock, and `doubtedMs` how long the store was in use with it.
 */
interface Known {
  readonly wall: number;
  readonly doubtedAt: number;
  readonly doubtedMs: number;
}

/** Detects a machine's clock that is far ahead of the last heartbeat in the file. */
export class WallClock {
  readonly #connection: Connection;
  #notedMs = Number.NEGATIVE_INFINITY;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Stores the time of a heartbeat, within the transaction, unless that was done just before. */
  note(wallMs: number): void {
    if (Math.abs(wallMs - this.#notedMs) < noteEveryMs) return;
    this.#connection.begin();
    const known = this.#read();
    for (const [name, value] of Object.entries(after(known, Math.floor(wallMs)))) {
      if (known[name as keyof Known] === value) continue;
      this.#connection.statement(sql.meta.set).run(value, name);
    }
    this.#notedMs = wallMs;
  }

  /** Milliseconds that the machine's clock is ahead of the last heartbeat, if that is too much to be trusted; else 0. */
  doubtfulMs(wallMs: number): number {
    this.note(wallMs);
    const { wall } = this.#read();
    return isBelieved(wall, wallMs) ? 0 : Math.floor(wallMs - wall);
  }

  #read(): Known {
    const rows = this.#connection.statement(sql.meta.wallClock).all() as {
      readonly name: string;
      readonly value: number;
    }[];
    return { wall: 0, doubtedAt: 0, doubtedMs: 0, ...Object.fromEntries(rows.map((r) => [r.name, r.value])) };
  }
}

/** A clock that was set back is trusted, too: it only makes events younger. */
function isBelieved(wall: number, now: number): boolean {
  return wall === 0 || now <= wall + mostAheadMs;
}

function after({ wall, doubtedAt, doubtedMs }: Known, now: number): Known {
  const believed = { wall: now, doubtedAt: 0, doubtedMs: 0 };
  if (isBelieved(wall, now)) return believed;
  const step = now - doubtedAt;
  // A longer step is a pause or another jump: it proves nothing.
  const usedMs = doubtedMs + (step > 0 && step <= mostAheadMs ? step : 0);
  return usedMs >= provenMs ? believed : { wall, doubtedAt: now, doubtedMs: usedMs };
}

/** The machine's clock is far ahead of the last activity in the store; nothing was deleted by age. */
export class ClockAheadError extends Error {
  readonly code = "ERR_CLOCK_AHEAD";
  /** How far the clock is ahead of the last heartbeat in the store, in milliseconds. */
  readonly aheadMs: number;

  constructor(aheadMs: number) {
    super(
      `the machine's clock is ${spanOf(aheadMs)} ahead of the last activity in the inbox: either the clock is wrong, or the inbox ` +
        "was not in use; nothing is deleted by age until it has been in use for 6 hours with this clock",
    );
    this.name = "ClockAheadError";
    this.aheadMs = aheadMs;
  }
}

function spanOf(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
