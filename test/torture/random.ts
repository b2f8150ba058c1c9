/** A source of chance that gives the same from the same seed. */
export interface Random {
  /** From 0 up to 1. */
  next(): number;
  /** A whole number of these bounds, both of which may come. */
  between(least: number, most: number): number;
}

/** mulberry32: small, fast, and good enough to choose when to kill. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { next, between: (least, most) => least + Math.floor(next() * (most - least + 1)) };
}
