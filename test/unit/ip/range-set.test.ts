import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Range } from "../../../src/ip/cidr.js";
import { RangeSet } from "../../../src/ip/range-set.js";

const bits = { 4: 32n, 6: 128n } as const;

function wordsOf(family: 4 | 6, value: bigint): number[] {
  const width = family === 4 ? 1 : 4;
  return Array.from({ length: width }, (_, k) =>
    Number(BigInt.asUintN(32, value >> BigInt(32 * (width - 1 - k)))),
  );
}

interface Block {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** The block of `size` bits that holds `value`. */
function block(family: 4 | 6, value: bigint, size: bigint): Block {
  const first = ((value % (1n << bits[family])) >> size) << size;
  return { family, first, last: first + (1n << size) - 1n };
}

function setOf(blocks: readonly Block[]): RangeSet {
  return new RangeSet(
    blocks.map(
      ({ family, first, last }): Range => ({
        family,
        first: wordsOf(family, first),
        last: wordsOf(family, last),
      }),
    ),
  );
}

/** Asks for each end of each block, for their neighbours and for `more`, and holds the answers against the blocks. */
function agrees(blocks: readonly Block[], family: 4 | 6, more: readonly bigint[]): void {
  const set = setOf(blocks);
  const own = blocks.filter((each) => each.family === family);
  const asked = [...own.flatMap(({ first, last }) => [first - 1n, first, last, last + 1n]), ...more];
  for (const value of asked) {
    if (value < 0n || value >= 1n << bits[family]) continue;
    const held = own.some(({ first, last }) => first <= value && value <= last);
    const found = set.has({ family, words: wordsOf(family, value) });
    if (found !== held) throw new Error(`IPv${family} ${value.toString(16)}: ${found}, not ${held}`);
  }
}

const ends = { 4: [0n, (1n << 32n) - 1n], 6: [0n, (1n << 128n) - 1n] } as const;

/** Values that crowd around few others, at distances of every magnitude. */
function crowding(family: 4 | 6): fc.Arbitrary<bigint[]> {
  const width = Number(bits[family]);
  const near = fc.tuple(
    fc.integer({ min: 0, max: 3 }),
    fc.integer({ min: 0, max: width - 1 }),
    fc.bigInt({ min: 0n, max: 40n }),
  );
  const anchors = fc.array(fc.bigInt({ min: 0n, max: (1n << bits[family]) - 1n }), {
    minLength: 4,
    maxLength: 4,
  });
  return fc
    .tuple(anchors, fc.array(near, { minLength: 20, maxLength: 150 }))
    .map(([around, offsets]) =>
      offsets.map(
        ([anchor, magnitude, times]) =>
          ((around[anchor] ?? 0n) + (times << BigInt(magnitude))) % (1n << bits[family]),
      ),
    );
}

describe("RangeSet", () => {
  it.each([4, 6] as const)("finds in any list of IPv%d ranges exactly what it holds", (family) => {
    const size = fc.integer({ min: 0, max: Number(bits[family]) / 2 });
    fc.assert(
      fc.property(crowding(family), fc.array(size, { minLength: 1, maxLength: 5 }), (values, sizes) => {
        const blocks = values.map((value, n) => block(family, value, BigInt(sizes[n % sizes.length] ?? 0)));
        agrees(blocks, family, [...ends[family], ...values]);
      }),
      { numRuns: 150 },
    );
  });

  it("finds single hosts crowded behind a prefix that all share, and nothing beside that prefix", () => {
    const prefix = 0x20010db8_00000000_00000005_00000000n;
    const blocks = Array.from({ length: 500 }, (_, n) => block(6, prefix + BigInt(n * n), 0n));
    // The last one leaves the prefix behind.
    blocks.push({ family: 6, first: prefix + (1n << 20n), last: prefix + (1n << 33n) });
    // Apart from the prefix in its first, second or third word, with a last word that would be in the list.
    const beside = [96n, 64n, 32n].flatMap((at) => [prefix + (1n << at) + 4n, prefix - (1n << at) + 4n]);
    agrees(blocks, 6, [...beside, ...ends[6]]);
  });

  it("finds networks of many providers, and nothing in the gaps between and within them", () => {
    const blocks: Block[] = [];
    for (let provider = 0n; provider < 20n; provider++) {
      for (let n = 0n; n < 40n; n++) {
        blocks.push(block(4, ((20n + provider) << 24n) + (provider << 16n) + (n << 4n), 3n));
        blocks.push(block(6, (((0x2a00n << 16n) + provider * 7n) << 96n) + (n << 65n), 64n));
      }
    }
    for (const family of [4, 6] as const) agrees(blocks, family, ends[family]);
  });

  it("finds ranges whose distances double, the worst case for slices of equal length", () => {
    const blocks = Array.from({ length: 127 }, (_, n) =>
      block(6, 1n << BigInt(n), BigInt(Math.max(0, n - 2))),
    );
    agrees(blocks, 6, ends[6]);
    agrees(
      blocks.slice(0, 32).map((each) => ({ ...each, family: 4 })),
      4,
      ends[4],
    );
  });

  it("keeps a last word apart that only some ranges hold whole", () => {
    const set = setOf([block(6, 1n << 64n, 64n), block(6, 1n << 67n, 31n), block(6, 1n << 68n, 0n)]);
    expect(set.size).toBe(3);
    const has = (value: bigint) => set.has({ family: 6, words: wordsOf(6, value) });
    expect([has((1n << 65n) - 1n), has((1n << 67n) + 0x7fffffffn)]).toEqual([true, true]);
    expect([has((1n << 67n) + 0x80000000n), has((1n << 68n) + 1n)]).toEqual([false, false]);
    const late = setOf([{ family: 6, first: (1n << 64n) + 5n, last: (1n << 65n) - 1n }]);
    expect(late.has({ family: 6, words: wordsOf(6, (1n << 64n) + 4n) })).toBe(false);
  });
});
