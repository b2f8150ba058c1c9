import { describe, OptionError } from "../lib/options.js";
import { isWhole, parseRange, type Range } from "./cidr.js";
import { explainRange } from "./range-faults.js";
import { RangeSet } from "./range-set.js";

/** How a list of ranges is read. */
export interface RangeListRules {
  /** Whether the list may hold every address of a family. */
  readonly allowAny: boolean;
  /** What to write instead of such a list. */
  readonly anyFix: string;
  /** Words that stand for ranges. Default: none. */
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
      ` holds every IPv${set.wholeFamily} address when its ranges are combined; ${rules.anyFix}`,
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

/** The ranges that an entry stands for, or why it cannot be used. */
function readEntry(entry: unknown, rules: RangeListRules): readonly Range[] | string {
  if (typeof entry === "string") {
    const named = rules.names?.get(entry);
    if (named !== undefined) return named;
    const range = parseRange(entry);
    if (range !== undefined && (rules.allowAny || !isWhole(range))) return [range];
    if (range !== undefined) return `"${entry}" holds every IPv${range.family} address; ${rules.anyFix}`;
  }
  return explainRange(entry, [...(rules.names?.keys() ?? [])]);
}
