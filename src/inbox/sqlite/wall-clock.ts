import type { Connection } from "./connection.js";

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
      this.#connection.statement("UPDATE hookgate_meta SET value = ? WHERE name = ?").run(value, name);
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
    const rows = this.#connection
      .statement("SELECT name, value FROM hookgate_meta WHERE name IN ('wall', 'doubtedAt', 'doubtedMs')")
      .all() as { readonly name: string; readonly value: number }[];
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
