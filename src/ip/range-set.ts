import { describe, OptionError } from "../lib/options.js";
import type { IpAddress } from "../types/credential.js";
import { wordAt } from "./address.js";
import { explainRange, isWhole, parseRange, type Range } from "./cidr.js";

/** The ranges of one family, sorted, none of them overlapping or touching another. */
interface RangeTable {
  /** Words per address. */
  readonly width: number;
  readonly count: number;
  /** First and last address of each range, one range after the other. */
  readonly bounds: Uint32Array;
}

/** The IPv4-mapped block of IPv6. Those addresses are read as IPv4, so no IPv6 range is ever asked for them. */
const mappedBlock: Range = { family: 6, first: [0, 0, 0xffff, 0], last: [0, 0, 0xffff, 0xffffffff] };

/** An immutable set of address ranges. A lookup is one binary search. */
export class RangeSet {
  /** Number of ranges after merging those that overlap or touch. */
  readonly size: number;
  /** A family of which the ranges, taken together, contain every address; undefined where there is none. */
  readonly wholeFamily: 4 | 6 | undefined;
  readonly #ip4: RangeTable;
  readonly #ip6: RangeTable;

  constructor(ranges: readonly Range[]) {
    const ranges6 = ofFamily(ranges, 6);
    this.#ip4 = compile(ofFamily(ranges, 4), 1);
    this.#ip6 = compile(ranges6, 4);
    this.size = this.#ip4.count + this.#ip6.count;
    if (isWholeFamily(this.#ip4)) this.wholeFamily = 4;
    else if (isWholeFamily(compile([...ranges6, mappedBlock], 4))) this.wholeFamily = 6;
  }

  /** Whether a range contains the address. A range contains addresses of its own family only (ATTACKS D11). */
  has({ family, words }: IpAddress): boolean {
    return family === 4 ? contains(this.#ip4, words) : contains(this.#ip6, words);
  }
}

/** Finds the first range that ends at the address or after it; the address is in that range or in none. */
function contains({ width, count, bounds }: RangeTable, words: readonly number[]): boolean {
  const word = words[0] as number;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const last = (2 * middle + 1) * width;
    // Read here, since the first word nearly always decides: the call alone would double the time.
    const difference = (bounds[last] as number) - word;
    if (difference < 0 || (difference === 0 && compareAt(bounds, last, words) < 0)) low = middle + 1;
    else high = middle;
  }
  return low < count && compareAt(bounds, 2 * low * width, words) <= 0;
}

/** Negative, zero or positive: how the address in `bounds` at `offset` compares with `words`. */
function compareAt(bounds: Uint32Array, offset: number, words: readonly number[]): number {
  for (let k = 0; k < words.length; k++) {
    const difference = (bounds[offset + k] as number) - (words[k] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function ofFamily(ranges: readonly Range[], family: 4 | 6): Range[] {
  return ranges.filter((range) => range.family === family);
}

function isWholeFamily({ width, count, bounds }: RangeTable): boolean {
  return count === 1 && isWhole({ first: bounds.subarray(0, width), last: bounds.subarray(width) });
}

/** Sorts the ranges and merges those that overlap or touch. */
function compile(ranges: Range[], width: number): RangeTable {
  ranges.sort(byFirst);
  const bounds = new Uint32Array(ranges.length * 2 * width);
  let end = 0;
  for (const { first, last } of ranges) {
    const previous = end - width;
    if (end > 0 && (compareAt(bounds, previous, first) >= 0 || isNext(bounds, previous, first))) {
      if (compareAt(bounds, previous, last) < 0) bounds.set(last, previous);
      continue;
    }
    bounds.set(first, end);
    bounds.set(last, end + width);
    end += 2 * width;
  }
  // A copy, so that what merging left over is not kept in memory.
  return { width, count: end / (2 * width), bounds: bounds.slice(0, end) };
}

function byFirst(a: Range, b: Range): number {
  const last = a.first.length - 1;
  let k = 0;
  while (k < last && a.first[k] === b.first[k]) k++;
  return wordAt(a.first, k) - wordAt(b.first, k);
}

/** Whether `words` is the address right after the one in `bounds` at `offset`. */
function isNext(bounds: Uint32Array, offset: number, words: readonly number[]): boolean {
  let carry = 1;
  for (let k = words.length - 1; k >= 0; k--) {
    const sum = wordAt(bounds, offset + k) + carry;
    if (sum >>> 0 !== words[k]) return false;
    carry = sum > 0xffffffff ? 1 : 0;
  }
  return true;
}

/** How a list of ranges is read. */
export interface RangeListRules {
  /** Whether the list may hold every address of a family. */
  readonly allowAny: boolean;
  /** What to write instead of such a list. */
  readonly anyFix: string;
  /** Names of ranges. Default: none. */
  readonly names?: ReadonlyMap<string, readonly Range[]>;
}

const mostFaultsNamed = 10;

/**
 * Reads a list of addresses and CIDR ranges and compiles it. An empty list holds nothing; duplicates are merged.
 * A range written as IPv4-mapped IPv6 is the IPv4 range; no other IPv6 range, "::/0" included, holds IPv4.
 * Throws one TypeError for all entries that cannot be used: the first ten by name, each with reason and fix
 * (ATTACKS D09 to D14).
 */
export function parseRanges(entries: unknown, where: string, rules: RangeListRules): RangeSet {
  if (!Array.isArray(entries)) throw new OptionError(where, ` ${explainList(entries)}`);
  const ranges: Range[] = [];
  const faults: string[] = [];
  for (let index = 0; index < entries.length; index++) {
    const read = readEntry(entries[index], rules);
    if (typeof read !== "string") ranges.push(...read);
    else faults.push(`\n  [${index}] ${read}`);
  }
  if (faults.length > 0) {
    const count = faults.length === 1 ? "1 entry" : `${faults.length} entries`;
    const more = faults.length > mostFaultsNamed ? `\n  and ${faults.length - mostFaultsNamed} more` : "";
    const named = faults.slice(0, mostFaultsNamed).join("");
    throw new OptionError(where, ` has ${count} that cannot be used:${named}${more}`);
  }
  const set = new RangeSet(ranges);
  if (set.wholeFamily !== undefined && !rules.allowAny) {
    throw new OptionError(
      where,
      ` covers every IPv${set.wholeFamily} address when its ranges are combined; ${rules.anyFix}`,
    );
  }
  return set;
}

function explainList(value: unknown): string {
  if (typeof value === "string") return 'must be an array, also for one range: write ["203.0.113.0/24"]';
  if (value === undefined || value === null) {
    return `is ${value}, not an array of strings such as "203.0.113.0/24"; an empty array lets nobody in`;
  }
  return `must be an array of strings such as "203.0.113.0/24", not ${describe(value)}`;
}

/** The ranges of an entry, or why it cannot be used. */
function readEntry(entry: unknown, rules: RangeListRules): readonly Range[] | string {
  if (typeof entry === "string") {
    const named = rules.names?.get(entry);
    if (named !== undefined) return named;
    const range = parseRange(entry);
    if (range !== undefined && (rules.allowAny || !isWhole(range))) return [range];
    if (range !== undefined) return `"${entry}" covers every IPv${range.family} address; ${rules.anyFix}`;
  }
  return explainRange(entry, [...(rules.names?.keys() ?? [])]);
}
