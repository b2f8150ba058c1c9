import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { formatIp, parsePeerAddress } from "../../../src/ip/address.js";
import { parseRange, type Range } from "../../../src/ip/cidr.js";
import { parseRanges, RangeSet } from "../../../src/ip/range-set.js";
import { vectors } from "./address-vectors.js";

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

const strict = { allowAny: false, anyFix: "name the senders" };
const loose = { allowAny: true, anyFix: "" };

function has(set: RangeSet, text: string): boolean {
  const address = parsePeerAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return set.has(address);
}

function messageOf(entries: unknown, rules = strict): string {
  try {
    parseRanges(entries, "list", rules);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as TypeError).message;
  }
  throw new Error("accepted");
}

describe("parseRanges", () => {
  it.each(vectors.cidrContains)("finds in $cidr what it holds", ({ cidr, contains, notContains }) => {
    const set = parseRanges([cidr], "list", loose);
    for (const text of contains) expect([text, has(set, text)]).toEqual([text, true]);
    for (const text of notContains) expect([text, has(set, text)]).toEqual([text, false]);
  });

  it.each(vectors.mappedAndTransitionPolicy)(
    "D06 D07 D09 $addr in $cidr: $match",
    ({ cidr, addr, match }) => {
      expect(has(parseRanges([cidr], "list", loose), addr)).toBe(match);
    },
  );

  it.each(vectors.cidrHostBits)("D12 refuses $input and names $masked", ({ input, masked }) => {
    const message = messageOf([input]);
    expect(message).toContain(`"${input}" has bits set after its prefix`);
    expect(message).toContain(`"${masked}"`);
  });

  it.each(vectors.cidrInvalid)("D10 D13 refuses $input", ({ input }) => {
    messageOf([input]);
  });

  it("D14 holds nobody when empty", () => {
    const set = parseRanges([], "list", strict);
    expect(set.size).toBe(0);
    expect(has(set, "192.0.2.1")).toBe(false);
    expect(has(set, "::1")).toBe(false);
  });

  it.each([
    [null, "list is null, not an array"],
    [undefined, "list is undefined, not an array"],
    ["10.0.0.0/8", 'write ["203.0.113.0/24"]'],
    [7, "not 7"],
    [{}, "not an object"],
  ])("D14 refuses %j as a list", (value, part) => {
    expect(messageOf(value)).toContain(part);
  });

  it.each([
    [0, "is 0, not a string such as"],
    [undefined, "is undefined: is its environment variable set?"],
    ["", "is empty"],
    [" 10.0.0.1", "white space around it"],
    ["10.0.0.1, 10.0.0.2", "several entries"],
    ["10.20.*.*", "wildcard"],
    ["fe80::1%eth0", "zone"],
    ["10.0.0.0-10.0.0.255", "written from-to"],
    ["/8", "no address before the slash"],
    ["１０.0.0.1", "only look like"],
    ["10.0.0.1:80", "port or brackets"],
    ["[::1]/128", "port or brackets"],
    ["fe801::1", "not an IPv6 address"],
    ["010.0.0.1/8", "leading zero"],
    ["0x0a.0.0.0/8", "leading zero"],
    ["10/8", "four parts"],
    ["1..2.3", "four parts"],
    ["1.257.1.1/24", "goes over 255"],
    ["localhost", 'write "127.0.0.1" and "::1"'],
    ["my-host.example", "names are not looked up"],
    ["10.0.0.0/33", 'from 0 to 32, no netmask and no leading zero, such as "10.0.0.0/32"'],
    ["10.0.0.0/08", "leading zero"],
    ["10.0.0.0/", "no usable prefix"],
    ["10.0.0.0/1000", "no usable prefix"],
    ["10.0.0.0/8/8", "no usable prefix"],
    ["10.0.0.0/-8", "no usable prefix"],
    ["2001:db8::/129", "from 0 to 128"],
    ["::ffff:10.0.0.0/129", "from 0 to 128"],
    ["::ffff:10.0.0.1/104", 'write "10.0.0.0/8" for the range, or "10.0.0.1"'],
    ["::ffff:a00:0/95", 'write "::fffe:0:0/95"'],
    ["::ffff:10.0.0.0/95", 'write "::fffe:0:0/95"'],
    ["64:ff9b::192.0.2.1/120", 'write "64:ff9b::c000:200/120"'],
  ])("D09 D10 D12 D13 says of %j: %s", (entry, part) => {
    expect(messageOf([entry])).toContain(part);
  });

  it("names ten bad entries of many, by their places", () => {
    const message = messageOf(["10.0.0.0/8", ...Array.from({ length: 12 }, (_, index) => `bad${index}`)]);
    expect(message).toContain("list has 12 entries that cannot be used:");
    expect(message).toContain('[1] "bad0" ');
    expect(message).toContain('[10] "bad9" ');
    expect(message).not.toContain("bad10");
    expect(message).toMatch(/\n {2}and 2 more$/);
  });

  it("escapes and cuts what it quotes", () => {
    const message = messageOf([`x\u001b[31m${"y".repeat(200)}`]);
    expect(message).toContain("x\\u001b[31m");
    expect(message.length).toBeLessThan(300);
  });

  it.each([
    [["0.0.0.0/0"], "IPv4"],
    [["::/0"], "IPv6"],
    [["::ffff:0:0/96"], "IPv4"],
    [["::ffff:0.0.0.0/96"], "IPv4"],
    [["128.0.0.0/1", "0.0.0.0/1"], "IPv4"],
    [["::/1", "8000::/1", "10.0.0.0/8"], "IPv6"],
    [["0.0.0.0/2", "64.0.0.0/2", "::ffff:128.0.0.0/97"], "IPv4"],
  ])("D11 refuses %j without the option for it", (entries, family) => {
    expect(messageOf(entries)).toMatch(new RegExp(`every ${family} address.*name the senders`));
    expect(parseRanges(entries, "list", loose).size).toBeGreaterThan(0);
  });

  it("D11 refuses all of IPv6 but what is IPv4 anyway", () => {
    const beside: string[] = [];
    for (let bit = 0; bit < 96; bit++) {
      const words = [0, 0, bit < 80 ? 0 : 0xffff, 0];
      if (bit >= 80) words[2] = (0xffff ^ (1 << (95 - bit))) & ~((1 << (95 - bit)) - 1);
      else words[bit >> 5] = (2 ** (31 - (bit & 31)) + (words[bit >> 5] as number)) >>> 0;
      beside.push(`${formatIp({ family: 6, words })}/${bit + 1}`);
    }
    expect(messageOf(beside)).toContain("every IPv6 address");
    expect(parseRanges(beside.slice(1), "list", strict).size).toBeGreaterThan(0);
  });

  it("D11 keeps the families apart", () => {
    const any4 = parseRanges(["0.0.0.0/0"], "list", loose);
    const any6 = parseRanges(["::/0"], "list", loose);
    expect([has(any4, "192.0.2.1"), has(any4, "::1")]).toEqual([true, false]);
    expect([has(any6, "192.0.2.1"), has(any6, "::ffff:192.0.2.1"), has(any6, "::1")]).toEqual([
      false,
      false,
      true,
    ]);
    expect(has(parseRanges(["32.1.0.0/16"], "list", strict), "2001:db8::1")).toBe(false);
  });

  it("D06 reads a range of mapped addresses as IPv4", () => {
    for (const text of [
      "::ffff:10.0.0.0/104",
      "::ffff:a00:0/104",
      "::FFFF:10.0.0.0/104",
      "0:0:0:0:0:ffff:a00:0/104",
    ]) {
      expect(parseRange(text)).toEqual(parseRange("10.0.0.0/8"));
    }
    expect(parseRange("::ffff:1.0.0.0/104")).toEqual(parseRange("1.0.0.0/8"));
    expect(parseRange("::ffff:1.2.3.4")).toEqual(parseRange("1.2.3.4/32"));
  });

  it("D07 leaves a range that only looks like IPv4 to IPv6", () => {
    const set = parseRanges(["64:ff9b::192.0.2.0/120", "::10.0.0.0/104"], "list", strict);
    expect([has(set, "192.0.2.1"), has(set, "10.1.2.3")]).toEqual([false, false]);
    expect([has(set, "64:ff9b::192.0.2.255"), has(set, "::10.1.2.3")]).toEqual([true, true]);
    expect(has(set, "64:ff9b::192.0.3.0")).toBe(false);
  });

  it("makes one range of duplicates and of ranges that overlap or touch", () => {
    const entries = [
      "10.0.1.0/24",
      "10.0.0.0/24",
      "10.0.0.7",
      "10.0.0.0/24",
      "10.0.3.0/24",
      "2001:db8:0:1::/64",
      "2001:db8::/64",
    ];
    const set = parseRanges(entries, "list", strict);
    expect(set.size).toBe(3);
    expect([has(set, "10.0.1.255"), has(set, "10.0.2.0"), has(set, "10.0.3.0")]).toEqual([true, false, true]);
    expect([has(set, "2001:db8:0:1::5"), has(set, "2001:db8:0:2::")]).toEqual([true, false]);
  });

  it("joins ranges across a carry and keeps those apart that only share low words", () => {
    const across = ["2001:db8:ffff:ffff::/64", "2001:db9::/64"];
    expect(parseRanges(across, "list", strict).size).toBe(1);
    expect(parseRanges(["2001:db8:ffff:ffff::/64", "2001:dba::/64"], "list", strict).size).toBe(2);
    expect(parseRanges(["255.255.255.255", "0.0.0.0"], "list", strict).size).toBe(2);
  });

  it("D11 reads names where some are given, and says which there are", () => {
    const home = [parseRange("127.0.0.0/8")].filter((range) => range !== undefined);
    const rules = { ...strict, names: new Map([["home", home]]) };
    expect(has(parseRanges(["home"], "list", rules), "127.1.2.3")).toBe(true);
    expect(messageOf(["hone"], rules)).toContain('neither an address nor one of "home"');
  });

  it("finds an address in a set exactly when one of its ranges holds it", () => {
    const small = fc.oneof(
      fc
        .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 26, max: 32 }))
        .map(([low, prefix]) => ({ low, prefix, family: 4 as const })),
      fc
        .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 122, max: 128 }))
        .map(([low, prefix]) => ({ low, prefix, family: 6 as const })),
    );
    fc.assert(
      fc.property(fc.array(small, { maxLength: 12 }), (parts) => {
        const ranges = parts.map(({ low, prefix, family }) => {
          const size = 2 ** ((family === 4 ? 32 : 128) - prefix);
          return { family, from: low - (low % size), size, prefix };
        });
        const name = (family: 4 | 6, low: number) =>
          family === 4 ? `10.0.0.${low}` : `2001:db8::${low.toString(16)}`;
        const set = parseRanges(
          ranges.map((r) => `${name(r.family, r.from)}/${r.prefix}`),
          "list",
          strict,
        );
        for (const family of [4, 6] as const) {
          for (let low = 0; low < 70; low++) {
            const held = ranges.some((r) => r.family === family && low >= r.from && low < r.from + r.size);
            expect(has(set, name(family, low))).toBe(held);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
