import type { IpAddress } from "../types/ip.js";
import { wordAt } from "./address.js";
import { isWhole, type Range } from "./cidr.js";
import { compareAt, RangeIndex, type RangeTable } from "./range-index.js";

/** Where IPv4 stands within IPv6. Those addresses are IPv4 here, so that no IPv6 range is ever asked for them. */
const mappedBlock: Range = { family: 6, first: [0, 0, 0xffff, 0], last: [0, 0, 0xffff, 0xffffffff] };

/** An immutable set of address ranges. To look into one of 100,000 costs less than twice what one of 10 costs. */
export class RangeSet {
  /** How many ranges are left once those that overlap or touch have become one. */
  readonly size: number;
  /** A family that the ranges hold every address of, one by one or together; undefined where there is none. */
  readonly wholeFamily: 4 | 6 | undefined;
  readonly #ip4: RangeIndex;
  readonly #ip6: RangeIndex;

  constructor(ranges: readonly Range[]) {
    const ip4 = compile(ofFamily(ranges, 4), 1);
    const ranges6 = ofFamily(ranges, 6);
    const ip6 = compile(ranges6, 4);
    this.size = ip4.count + ip6.count;
    if (ip4.count === 1 && reachesBothEnds(ip4)) this.wholeFamily = 4;
    else if (reachesBothEnds(ip6) && compile([...ranges6, mappedBlock], 4).count === 1) this.wholeFamily = 6;
    this.#ip4 = new RangeIndex(trim(ip4));
    this.#ip6 = new RangeIndex(trim(ip6));
  }

  /** Whether a range holds the address. A range holds addresses of its own family only (ATTACKS D11). */
  has(address: IpAddress): boolean {
    return (address.family === 4 ? this.#ip4 : this.#ip6).has(address.words);
  }
}

function ofFamily(ranges: readonly Range[], family: 4 | 6): Range[] {
  return ranges.filter((range) => range.family === family);
}

/** Whether the first range begins where the family begins, and the last one ends where it ends. */
function reachesBothEnds({ width, count, bounds }: RangeTable): boolean {
  return count > 0 && isWhole({ first: bounds.subarray(0, width), last: bounds.subarray(-width) });
}

/** Sorts the ranges and makes one of those that overlap or touch. */
function compile(ranges: Range[], width: number): RangeTable {
  ranges.sort(byFirst);
  const bounds = new Uint32Array(ranges.length * 2 * width);
  let end = 0;
  for (const { first, last } of ranges) {
    const previous = end - width;
    if (end > 0 && (compareAt(bounds, previous, first, width) >= 0 || isNext(bounds, previous, first))) {
      if (compareAt(bounds, previous, last, width) < 0) bounds.set(last, previous);
      continue;
    }
    bounds.set(first, end);
    bounds.set(last, end + width);
    end += 2 * width;
  }
  return { width, count: end / (2 * width), bounds: bounds.subarray(0, end) };
}

/**
 * Leaves out the words at the end that every range holds whole. Of IPv6 networks they are half, and how much memory a
 * look-up may have to wait for is what it costs.
 */
function trim(table: RangeTable): RangeTable {
  const { count, bounds } = table;
  let width = table.width;
  while (width > 1 && isHeldWhole(table, width - 1)) width--;
  const trimmed = new Uint32Array(2 * count * width);
  for (let n = 0; n < trimmed.length; n++) {
    trimmed[n] = wordAt(bounds, Math.floor(n / width) * table.width + (n % width));
  }
  return { width, count, bounds: trimmed };
}

function isHeldWhole({ width, bounds }: RangeTable, word: number): boolean {
  for (let at = word; at < bounds.length; at += 2 * width) {
    if (bounds[at] !== 0 || bounds[at + width] !== 0xffffffff) return false;
  }
  return true;
}

function byFirst(a: Range, b: Range): number {
  const last = a.first.length - 1;
  let k = 0;
  while (k < last && a.first[k] === b.first[k]) k++;
  return wordAt(a.first, k) - wordAt(b.first, k);
}

/** Whether `words` is the address right behind the one in `table` at `offset`. */
function isNext(table: Uint32Array, offset: number, words: readonly number[]): boolean {
  let carry = 1;
  for (let k = words.length - 1; k >= 0; k--) {
    const sum = wordAt(table, offset + k) + carry;
    if (sum >>> 0 !== words[k]) return false;
    carry = sum > 0xffffffff ? 1 : 0;
  }
  return true;
}
