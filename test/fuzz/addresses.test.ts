import { BlockList, isIP } from "node:net";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createAllowlist } from "hookgate";
import type { IpAddress } from "../../src/contracts/ip.js";
import {
  type ClientAddressOptions,
  clientAddressResolver,
  UnknownAddress,
} from "../../src/gate/client-address.js";
import { formatIp, formatWords, parseIp, parsePeerAddress } from "../../src/gate/ip.js";
import { parseRange } from "../../src/gate/range.js";
import { parseRanges } from "../../src/gate/ranges.js";
import { mutated, nasty } from "./mutate.js";
import { check } from "./settings.js";

const quad = fc.ipV4();
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
const nearly = mutated(
  fc.tuple(address, zone).map((parts) => parts.join("")),
  2,
);

/** What the URL parser of Node makes of a text that is IPv6 for sure. */
function hostOf(text: string): string {
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}

function texts(found: IpAddress | UnknownAddress): string {
  return found instanceof UnknownAddress ? "unknown" : formatIp(found);
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

const proxies = ["10.0.0.0/8", "fd00::/8"];
const proxy = fc.oneof(
  fc.nat(255).map((last) => `10.0.0.${last}`),
  fc.nat(255).map((last) => `fd00::${last.toString(16)}`),
);
const client = fc.oneof(
  fc.nat(255).map((last) => `192.0.2.${last}`),
  fc.nat(255).map((last) => `2001:db8::${last.toString(16)}`),
);
const canonical = (text: string): string => formatIp(parseIp(text) as IpAddress);
const spaced = fc.constantFrom(",", ", ", " ,\t");
/** What a sender may write: addresses that it would like to have, broken grammar, floods. */
const forged = mutated(
  fc.oneof(
    fc.constantFrom(
      "6.6.6.6",
      "10.0.0.1, 6.6.6.6",
      "for=6.6.6.6",
      'for="6.6.6.6:1";by=10.0.0.1, for="[fd00::1]"',
      'for="',
      'for=6.6.6.6;host="',
      'for="\\',
      "for=_hidden, for=unknown",
      ",".repeat(40),
      "x".repeat(4096),
      "",
    ),
    fc.array(nasty, { maxLength: 12 }).map((all) => all.join("")),
  ),
);

function find(options: ClientAddressOptions, peer: string, lines: readonly string[], name: string): string {
  const rawHeaders = lines.flatMap((line) => [name, line]);
  return texts(clientAddressResolver(options, "clientAddress").resolve(peer, rawHeaders));
}

describe("X-Forwarded-For, fuzzed", () => {
  /** One entry as a plain regular expression has it; undefined: none. */
  function entry(text: string): string | undefined {
    const trimmed = text.replace(/^[ \t]+|[ \t]+$/g, "");
    const port = "(?::(?:0|[1-9]\\d{0,4}))?";
    const bare =
      new RegExp(`^(\\d+\\.\\d+\\.\\d+\\.\\d+)${port}$`).exec(trimmed)?.[1] ??
      new RegExp(`^\\[([^\\]]*:[^\\]]*)\\]${port}$`).exec(trimmed)?.[1] ??
      trimmed;
    const tooHigh = Number(/(?:\]|\.\d+):(\d+)$/.exec(trimmed)?.[1] ?? 0) > 65_535;
    return isIP(bare) === 0 || bare.includes("%") || tooHigh ? undefined : canonical(bare);
  }

  it("D03 walks as a plain reading of the rules does", () => {
    const hop = mutated(
      fc
        .tuple(fc.constantFrom("", "["), fc.oneof(proxy, client), fc.constantFrom("", "]", ":80", "]:80"))
        .map((all) => all.join("")),
      1,
    );
    const trusted = parseRanges(proxies, "proxies", { allowAny: false, anyFix: "" });
    check(
      2000,
      fc.property(fc.array(fc.tuple(hop, spaced), { maxLength: 6 }), (hops) => {
        const line = hops.map(([text, comma], at) => (at === 0 ? text : comma + text)).join("");
        const found = find({ trustedProxies: proxies }, "10.0.0.9", [line], "x-forwarded-for");
        let expected = "10.0.0.9";
        for (const text of line.split(",").reverse()) {
          const named = entry(text);
          expected = named ?? "unknown";
          if (named === undefined || !trusted.has(parseIp(named) as IpAddress)) break;
        }
        expect([line, found]).toEqual([line, expected]);
      }),
    );
  });

  it("D01 D04 finds whom the first proxy saw, or nobody, whatever the sender wrote before", () => {
    check(
      1500,
      fc.property(
        fc.array(forged, { maxLength: 3 }),
        fc.boolean(),
        client,
        fc.array(proxy, { maxLength: 3 }),
        (lies, joined, sender, passed) => {
          const honest = [sender, ...passed];
          const lines = joined
            ? [...lies.slice(1), [...lies.slice(0, 1), ...honest].join(", ")]
            : [...lies, ...honest];
          const answers = [canonical(sender), "unknown"];
          expect(answers).toContain(find({ trustedProxies: proxies }, "10.0.0.9", lines, "X-Forwarded-For"));
          expect(answers).toContain(
            find({ trustedProxies: honest.length }, "10.0.0.9", lines, "X-FORWARDED-FOR"),
          );
          // And from a peer that is no proxy, nothing of it counts.
          expect(find({ trustedProxies: proxies }, "203.0.113.1", lines, "X-Forwarded-For")).toBe(
            "203.0.113.1",
          );
        },
      ),
    );
  });
});

describe("Forwarded, fuzzed", () => {
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const node = (text: string, port: string): string => {
    const host = text.includes(":") ? `[${text}]` : text;
    return port === "" && host === text ? host : quoted(host + port);
  };
  /** An element as a careful proxy writes it; the `host` in it is the sender's own header. */
  const element = (seen: fc.Arbitrary<string>) =>
    fc
      .tuple(seen, fc.constantFrom("", ":80", ":_x"), fc.option(forged), fc.boolean())
      .map(([text, port, host, first]) => {
        const parts = [`for=${node(text, port)}`, ...(host === null ? [] : [`host=${quoted(clean(host))}`])];
        return { text, written: (first ? parts : parts.reverse()).join(";") };
      });
  const clean = (host: string): string => host.replace(/[^\x20-\x7e]/g, "");

  it("D01 D03 finds whom the first proxy saw, or nobody, though the sender opens quotes", () => {
    let known = 0;
    check(
      2500,
      fc.property(
        fc.array(forged, { maxLength: 2 }),
        fc.boolean(),
        element(client),
        fc.array(element(proxy), { maxLength: 2 }),
        (lies, joined, sender, passed) => {
          const honest = [sender, ...passed].map(({ written }) => written);
          const lines = joined ? [[...lies, ...honest].join(", ")] : [...lies, honest.join(",")];
          const options = { trustedProxies: proxies, header: "forwarded" } as const;
          const found = find(options, "10.0.0.9", lines, "Forwarded");
          expect([canonical(sender.text), "unknown"]).toContain(found);
          if (lies.length === 0 && honest.join().length < 4000) expect(found).toBe(canonical(sender.text));
          if (found !== "unknown") known++;
        },
      ),
    );
    expect(known).toBeGreaterThan(500);
  });
});
