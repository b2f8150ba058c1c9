import { assertOptions, choiceOption, flagOption, optionKeys, own } from "../lib/options.js";
import type { AddressList, IpAddress } from "../types/credential.js";

import { parseRanges, type RangeListRules, type RangeSet } from "./range-set.js";

/** An allowlist with how it is applied. */
export interface AllowIpsSettings {
  /** Addresses and CIDR ranges, IPv4 and IPv6. An empty list lets nobody in. */
  readonly ranges: readonly (string | undefined)[];
  /** `"shadow"`: what would be refused is reported and passes. Default: `"enforce"`. */
  readonly mode?: "enforce" | "shadow" | undefined;
  /** `true` allows ranges that hold every address of a family, one by one or combined. Default: refused. */
  readonly dangerouslyAllowAnyAddress?: boolean | undefined;
}

/**
 * Addresses that may call: CIDR ranges and single addresses, IPv4 and IPv6, alone or with how they are applied. An empty list
 * lets nobody in.
 */
export type AllowIpsOptions = readonly (string | undefined)[] | AllowIpsSettings;

/** An allowlist whose ranges can be replaced while it is in use, by any number of routes. */
export interface Allowlist extends AddressList {
  /** How many ranges it has, once those that overlap or touch have become one. */
  readonly size: number;
  /**
   * Puts these ranges in the place of all that were there, from one request to the next. Throws a TypeError where
   * they cannot be used; then the old ones stay.
   */
  replace(ranges: readonly string[]): void;
}

/**
 * Makes an allowlist. Throws a TypeError that names each entry that cannot be used, with its fix.
 *
 * @example
 * const allowlist = createAllowlist(["203.0.113.0/24", "2001:db8:12::/48"]);
 * allowlist.replace(await currentRanges());
 */
export function createAllowlist(options: AllowIpsOptions): Allowlist {
  return readAllowIps(options, "allowlist");
}

/** The list of an `allowIps` option, which takes ranges or an Allowlist that is shared. `where` names the option. */
export function resolveAllowIps(value: AllowIpsOptions | Allowlist, where: string): AddressList {
  return value instanceof ReplaceableList ? value : readAllowIps(value, where);
}

const optionNames = optionKeys<AllowIpsSettings>({
  ranges: true,
  mode: true,
  dangerouslyAllowAnyAddress: true,
});
const anyFix =
  "if everyone may come in, write { ranges: […], dangerouslyAllowAnyAddress: true }, otherwise list the senders";

function readAllowIps(value: unknown, where: string): ReplaceableList {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return new ReplaceableList(value, where, { mode: "enforce", allowAny: false });
  }
  assertOptions(value, optionNames, where);
  return new ReplaceableList(own(value, "ranges"), `${where}.ranges`, {
    mode: choiceOption(own(value, "mode"), `${where}.mode`, ["enforce", "shadow"], "enforce"),
    allowAny: flagOption(own(value, "dangerouslyAllowAnyAddress"), `${where}.dangerouslyAllowAnyAddress`),
  });
}

class ReplaceableList implements Allowlist {
  readonly mode: "enforce" | "shadow";
  readonly #where: string;
  readonly #rules: RangeListRules;
  #ranges: RangeSet;

  constructor(
    ranges: unknown,
    where: string,
    { mode, allowAny }: { readonly mode: "enforce" | "shadow"; readonly allowAny: boolean },
  ) {
    this.mode = mode;
    this.#where = where;
    this.#rules = { allowAny, anyFix };
    this.#ranges = parseRanges(ranges, where, this.#rules);
  }

  get size(): number {
    return this.#ranges.size;
  }

  has(address: IpAddress): boolean {
    return this.#ranges.has(address);
  }

  replace(ranges: readonly string[]): void {
    this.#ranges = parseRanges(ranges, this.#where, this.#rules);
  }
}
