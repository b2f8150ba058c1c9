import { BlockList, isIP } from "node:net";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createAllowlist } from "hookgate";
import { formatIp, formatWords, parseIp, parsePeerAddress } from "../../src/ip/address.js";
import { parseRange } from "../../src/ip/cidr.js";
import { parseRanges } from "../../src/ip/range-set.js";
import type { IpAddress } from "../../src/types/credential.js";
import { mutated, nasty } from "./mutate.js";
import { check } from "./settings.js";

const octet = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 255 }).map(String) },
  fc.constantFrom("00", "01", "010", "256", "0x7f", "1e2", ""),
);
const quad = fc.ipV4();
/** Quads as other readers take them: octal, hexadecimal, too many parts or too few. */
const oddQuad = fc.oneof(
  fc.array(octet, { minLength: 3, maxLength: 5 }).map((parts) => parts.join(".")),
  fc.ipV4Extended(),
);
const word = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 0xffff, 0x20010db8, 0x64ff9b),
);
const six = fc.tuple(word, word, word, word).map(formatWords);
const mixed = fc.tuple(fc.constantFrom("::ffff:", "::FFFF:", "::", "64:ff9b::", "0:0:0:0:0:ffff:"), quad);
const address = fc.oneof(
  quad,
  six,
  six.map((text) => text.toUpperCase()),
  mixed.map((parts) => parts.join("")),
);
const zone = fc.constantFrom("", "%eth0", "%1", "%", "%%", "%eth0%1", "%25eth0", "% ");
const nearly = fc.oneof(
  { weight: 3, arbitrary: mutated(address, 2) },
  mutated(
    fc.tuple(address, zone).map((parts) => parts.join("")),
    2,
  ),
  oddQuad,
  fc.tuple(fc.constantFrom("::", "::ffff:", "1::"), oddQuad).map((parts) => parts.join("")),
);

/** What the URL parser of Node makes of a text that is IPv6 for sure. */
function hostOf(text: string): string {
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}

describe("addresses, fuzzed", () => {
  it("D08 D10 means by each address what net.isIP and the URL parser mean", () => {
    check(
      2500,
      fc.property(nearly, (text) => {
        const found = parseIp(text);
        if (text.includes("%")) return expect(found).toBeUndefined();
        expect(found === undefined).toBe(isIP(text) === 0);
        if (found === undefined) return;
        if (isIP(text) === 4) return expect(formatIp(found)).toBe(text);
        const host = hostOf(text);
        const mapped = /^::ffff:[\da-f]+:[\da-f]+$/.test(host);
        expect(found.family).toBe(mapped ? 4 : 6);
        expect(mapped ? hostOf(`::ffff:${formatIp(found)}`) : formatIp(found)).toBe(host);
      }),
    );
  });

  it("D09 knows every peer that a socket may name, and takes the zone off IPv6 only", () => {
    check(
      1500,
      fc.property(nearly, (text) => {
        const found = parsePeerAddress(text);
        if (isIP(text) !== 0) expect(found).toBeDefined();
        if (found === undefined) return;
        const [bare = "", ...rest] = text.split("%");
        expect(found).toEqual(parseIp(bare));
        if (rest.length > 0) expect(isIP(bare)).toBe(6);
      }),
    );
  });
});

const prefix = fc.oneof(
  fc.nat(130).map(String),
  fc.constantFrom("", "00", "08", "+8", "8 ", "255.255.255.0", "1e1"),
);
const cidr = fc.tuple(address, fc.constantFrom("/", "", "//", " / "), prefix).map((parts) => parts.join(""));

/** The number that an address is, and how many bits that number has. */
function numberOf(text: string): { readonly value: bigint; readonly bits: number } {
  if (isIP(text) === 4) {
    return { value: text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n), bits: 32 };
  }
  const [left = "", right] = hostOf(text).split("::");
  const groups = (side: string): string[] => (side === "" ? [] : side.split(":"));
  const [before, after] = [groups(left), groups(right ?? "")];
  const zeros = right === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array.from({ length: zeros }, () => "0"), ...after];
  return { value: all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n), bits: 128 };
}

/** Whether a text is an address, or a range with nothing set behind its prefix; reckoned in whole numbers. */
function isRange(text: string): boolean {
  const [bare = "", size, ...rest] = text.split("/");
  if (isIP(bare) === 0 || bare.includes("%") || rest.length > 0) return false;
  if (size === undefined) return true;
  const { value, bits } = numberOf(bare);
  if (!/^(0|[1-9]\d{0,2})$/.test(size) || Number(size) > bits) return false;
  return value % (1n << BigInt(bits - Number(size))) === 0n;
}

describe("ranges, fuzzed", () => {
  it("D10 D12 D13 reads exactly the ranges that whole numbers say are ranges", () => {
    const masked = fc.tuple(address, fc.nat(128)).map(([text, size]) => {
      const { value, bits } = numberOf(text);
      const kept = Math.min(size, bits);
      const shift = BigInt(bits - kept);
      const network = (value >> shift) << shift;
      const words = [96n, 64n, 32n, 0n].map((by) => Number((network >> by) & 0xffffffffn));
      return bits === 32
        ? `${formatIp({ family: 4, words: words.slice(3) })}/${kept}`
        : `${formatWords(words)}/${kept}`;
    });
    check(
      2500,
      fc.property(fc.oneof(masked, mutated(masked, 1), mutated(cidr, 1)), (text) => {
        const range = parseRange(text);
        expect([text, range !== undefined]).toEqual([text, isRange(text)]);
        if (range === undefined) return;
        const [bare = "", size = "128"] = text.split("/");
        // BlockList takes an IPv4-mapped range for IPv6; whether those are IPv4 is tested elsewhere.
        if (isIP(bare) === 6 && range.family === 4) return;
        const list = new BlockList();
        const family = range.family === 4 ? "ipv4" : "ipv6";
        list.addSubnet(bare, Math.min(Number(size), range.family === 4 ? 32 : 128), family);
        const ends = [range.first, range.last].map((words) =>
          range.family === 4 ? formatIp({ family: 4, words }) : formatWords(words),
        );
        for (const end of ends) expect(list.check(end, family)).toBe(true);
      }),
    );
  });

  it("D11 holds of a list what net.BlockList holds, asked within each family", () => {
    const small4 = fc.tuple(
      fc.constantFrom(...["10.0.0.0", "10.0.0.64", "10.0.0.128"]),
      fc.integer({ min: 25, max: 26 }),
    );
    const small6 = fc.tuple(
      fc.constantFrom("2001:db8::", "2001:db8::40"),
      fc.integer({ min: 121, max: 124 }),
    );
    const asked = fc.oneof(
      fc.nat(255).map((last) => `10.0.0.${last}`),
      fc.nat(255).map((last) => `2001:db8::${last.toString(16)}`),
      fc.nat(255).map((last) => `::10.0.0.${last}`),
      address.filter((text) => parseIp(text)?.family === isIP(text)),
    );
    check(
      700,
      fc.property(
        fc.array(fc.oneof(small4, small6)),
        fc.array(asked, { minLength: 1 }),
        (ranges, addresses) => {
          const usable = ranges
            .map(([bare, size]) => [bare, size] as const)
            .filter(([b, s]) => isRange(`${b}/${s}`));
          const ours = createAllowlist(usable.map(([bare, size]) => `${bare}/${size}`));
          const lists = { 4: new BlockList(), 6: new BlockList() };
          for (const [bare, size] of usable) {
            const family = isIP(bare) as 4 | 6;
            lists[family].addSubnet(bare, size, `ipv${family}`);
          }
          for (const text of addresses) {
            const family = isIP(text) as 4 | 6;
            expect(ours.has(parseIp(text) as IpAddress)).toBe(lists[family].check(text, `ipv${family}`));
          }
        },
      ),
    );
  });

  it("throws one TypeError that names the entries, whatever stands in a list", () => {
    const entry = fc.oneof(cidr, mutated(cidr), fc.anything({ maxDepth: 1 }), nasty);
    const list = fc.oneof(fc.array(entry, { maxLength: 14 }), fc.anything({ maxDepth: 1 }));
    check(
      700,
      fc.property(list, (entries) => {
        try {
          parseRanges(entries, "allowIps", { allowAny: false, anyFix: "fix" });
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          expect(String(error)).toMatch(/^TypeError: allowIps/);
          expect(String(error).length).toBeLessThan(6000);
        }
      }),
    );
  });
});
