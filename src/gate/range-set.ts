import type { IpAddress } from "../contracts/ip.js";
import { wordAt } from "./ip.js";
import { isWhole, type Range } from "./range.js";

/** The ranges of one family, sorted and apart from one another, `width` words each in either table. */
interface Table {
  readonly width: number;
  readonly count: number;
  readonly firsts: Uint32Array;
  readonly lasts: Uint32Array;
}

/** Where IPv4 stands within IPv6. Those addresses are IPv4 here, so that no IPv6 range is ever asked for them. */
const mappedBlock: Range = { family: 6, first: [0, 0, 0xffff, 0], last: [0, 0, 0xffff, 0xffffffff] };

/** An immutable set of address ranges. Look-up is a binary search: 100,000 ranges cost about what 10 cost. */
export class RangeSet {
  /** How many ranges are left once those that overlap or touch have become one. */
  readonly size: number;
  /** A family that the ranges hold every address of, one by one or together; undefined where there is none. */
  readonly wholeFamily: 4 | 6 | undefined;
  readonly #ip4: Table;
  readonly #ip6: Table;

  constructor(ranges: readonly Range[]) {
    const ip6 = ofFamily(ranges, 6);
    this.#ip4 = compile(ofFamily(ranges, 4), 1);
    this.#ip6 = compile(ip6, 4);
    this.size = this.#ip4.count + this.#ip6.count;
    if (this.#ip4.count === 1 && reachesBothEnds(this.#ip4)) this.wholeFamily = 4;
    else if (reachesBothEnds(this.#ip6) && compile([...ip6, mappedBlock], 4).count === 1)
      this.wholeFamily = 6;
  }

  /** Whether a range holds the address. A range holds addresses of its own family only (ATTACKS D11). */
  has(address: IpAddress): boolean {
    return tableHas(address.family === 4 ? this.#ip4 : this.#ip6, address.words);
  }
}

function ofFamily(ranges: readonly Range[], family: 4 | 6): Range[] {
  return ranges.filter((range) => range.family === family);
}

/** Whether the first range begins where the family begins, and the last one ends where it ends. */
function reachesBothEnds({ width, count, firsts, lasts }: Table): boolean {
  return count > 0 && isWhole({ first: firsts.subarray(0, width), last: lasts.subarray(-width) });
}

/** Sorts the ranges and makes one of those that overlap or touch. */
function compile(ranges: Range[], width: number): Table {
  ranges.sort((a, b) => compareAt(a.first, 0, b.first, width));
  const firsts = new Uint32Array(ranges.length * width);
  const lasts = new Uint32Array(ranges.length * width);
  let end = 0;
  for (const { first, last } of ranges) {
    const previous = end - width;
    if (end > 0 && (compareAt(lasts, previous, first, width) >= 0 || isNext(lasts, previous, first))) {
      if (compareAt(lasts, previous, last, width) < 0) lasts.set(last, previous);
      continue;
    }
    firsts.set(first, end);
    lasts.set(last, end);
    end += width;
  }
  return { width, count: end / width, firsts: firsts.slice(0, end), lasts: lasts.slice(0, end) };
}

function tableHas(table: Table, words: readonly number[]): boolean {
  const { width, firsts, lasts } = table;
  let low = 0;
  let high = table.count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const offset = middle * width;
    if (compareAt(firsts, offset, words, width) > 0) high = middle - 1;
    else if (compareAt(lasts, offset, words, width) < 0) low = middle + 1;
    else return true;
  }
  return false;
}

/** Negative, zero or positive: how the `width` words of `table` at `offset` stand to `words`. */
function compareAt(
  table: ArrayLike<number>,
  offset: number,
  words: readonly number[],
  width: number,
): number {
  for (let k = 0; k < width; k++) {
    const difference = wordAt(table, offset + k) - wordAt(words, k);
    if (difference !== 0) return difference;
  }
  return 0;
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
