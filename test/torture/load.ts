import { setTimeout as pause } from "node:timers/promises";
import type { EventData } from "./options.js";
import type { Random } from "./random.js";
import { createSender, hear, type Promised } from "./sender.js";

/** Senders that go on whatever becomes of the servers. */
export interface Load {
  /** Where deliveries go from now on; none: the senders wait. `most`: new events until the next call. */
  aim(ports: readonly number[], most: number): void;
  /** New events since the last `aim`. */
  readonly sinceAim: number;
  /** Resolves when every sender has stopped. */
  stop(): Promise<void>;
}

/** Options of `startLoad`. */
export interface LoadOptions {
  readonly random: Random;
  readonly promised: Promised;
  readonly senders: number;
  /** Before an event's number; ids of two loads must differ. */
  readonly prefix: string;
  data(random: Random): EventData;
}

/**
 * Starts senders that behave as senders do: one of two sends an event again whose answer did not come, or was 503; the
 * other gives it up.
 */
export function startLoad({ random, promised, senders, prefix, data }: LoadOptions): Load {
  const sender = createSender(senders);
  let ports: readonly number[] = [];
  let left = 0;
  let [sinceAim, number, stopped] = [0, 0, false];

  async function deliver(id: string, event: EventData): Promise<void> {
    const repeats = random.next() < 0.5;
    promised.sent.add(id);
    do {
      const port = ports[random.between(0, ports.length - 1)];
      if (port === undefined) await pause(5);
      else {
        const heard = await sender.send(port, "load", id, event);
        hear(promised, id, heard);
        if (heard !== undefined && heard.status !== 503) return;
        await pause(random.between(1, 10));
      }
    } while (repeats && !stopped);
  }

  async function run(): Promise<void> {
    while (!stopped) {
      if (left <= 0 || ports.length === 0) await pause(5);
      else {
        left -= 1;
        sinceAim += 1;
        number += 1;
        await deliver(`${prefix}-${number}`, data(random));
      }
    }
  }

  const all = Array.from({ length: senders }, run);
  return {
    aim(next, most) {
      ports = next;
      left = most;
      sinceAim = 0;
    },
    get sinceAim() {
      return sinceAim;
    },
    async stop() {
      stopped = true;
      await Promise.all(all);
      sender.close();
    },
  };
}
