import type { InboxStats } from "../../contracts/engine.js";

type Counter = "accepted" | "handled" | "failed" | "dead";

const minuteMs = 60_000;

/** Counts of the running minute and the one before. */
export class Tally {
  readonly #now: () => number;
  #minute = 0;
  #current = none();
  #before = none();

  constructor(now: () => number) {
    this.#now = now;
  }

  count(counter: Counter): void {
    this.#turn();
    this.#current[counter] += 1;
  }

  read(): InboxStats["throughput"] {
    this.#turn();
    const [a, b] = [this.#before, this.#current];
    return {
      spanMs: minuteMs + Math.max(0, this.#now() - this.#minute * minuteMs),
      accepted: a.accepted + b.accepted,
      handled: a.handled + b.handled,
      failed: a.failed + b.failed,
      dead: a.dead + b.dead,
    };
  }

  #turn(): void {
    const minute = Math.floor(this.#now() / minuteMs);
    if (minute === this.#minute) return;
    this.#before = minute === this.#minute + 1 ? this.#current : none();
    this.#current = none();
    this.#minute = minute;
  }
}

function none(): Record<Counter, number> {
  return { accepted: 0, handled: 0, failed: 0, dead: 0 };
}
