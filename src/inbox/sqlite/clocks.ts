import type { Connection } from "./connection.js";
import * as sql from "./statements.js";

/**
 * The clock that due times follow: it starts at the later of the machine's clock and the store's last reading, goes on by
 * the monotonic clock, and never back. A machine whose clock is set while it runs expires and delays nothing (ATTACKS H15).
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

/** A clock that is no further ahead of the last sign of life is believed: processes pause, and clocks are corrected. */
const mostAheadMs = 3_600_000;
/** A clock that is further ahead is believed again once the store was in use under it for so long. */
const provenMs = 6 * 3_600_000;
/** Between two notes of one process, in milliseconds. */
const noteEveryMs = 30_000;

/**
 * What the file knows of the machine's clock. `wall`: its time at the last sign of life, 0 where there was none. While it
 * is too far ahead, `wall` stays; `doubtedAt` is then its last time, and `doubtedMs` for how long the store was in use.
 */
interface Known {
  readonly wall: number;
  readonly doubtedAt: number;
  readonly doubtedMs: number;
}

/** Compares the machine's clock with the signs of life in the file. */
export class WallClock {
  readonly #connection: Connection;
  #notedMs = Number.NEGATIVE_INFINITY;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Notes a sign of life, within the transaction, unless that was done just now. */
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

  /** Milliseconds that the machine's clock is ahead of the last sign of life, where that is too far to be believed; else 0. */
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

/** One that was set back is believed, too: it makes events younger. */
function isBelieved(wall: number, now: number): boolean {
  return wall === 0 || now <= wall + mostAheadMs;
}

function after({ wall, doubtedAt, doubtedMs }: Known, now: number): Known {
  const believed = { wall: now, doubtedAt: 0, doubtedMs: 0 };
  if (isBelieved(wall, now)) return believed;
  const step = now - doubtedAt;
  // A longer step is a pause, or another leap: it proves nothing.
  const usedMs = doubtedMs + (step > 0 && step <= mostAheadMs ? step : 0);
  return usedMs >= provenMs ? believed : { wall, doubtedAt: now, doubtedMs: usedMs };
}

/** The machine's clock says a time that the store does not believe; nothing was deleted by age. */
export class ClockAheadError extends Error {
  readonly code = "ERR_CLOCK_AHEAD";
  /** How far the clock is ahead of the last sign of life in the store, in milliseconds. */
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
