import { isIP } from "node:net";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { formatIp, parseIp } from "../../src/ip/address.js";
import {
  type ClientAddressOptions,
  clientAddressResolver,
  UnknownAddress,
} from "../../src/ip/client-address.js";
import { parseRanges } from "../../src/ip/range-set.js";
import type { IpAddress } from "../../src/types/credential.js";
import { mutated, nasty } from "./mutate.js";
import { check } from "./settings.js";

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
      'for=6.6.6.6;by="a\\',
      'for="\\',
      "for=_hidden, for=unknown",
      ",".repeat(40),
      "x".repeat(4096),
      "",
    ),
    fc.array(nasty, { maxLength: 12 }).map((all) => all.join("")),
  ),
  1,
);

function find(options: ClientAddressOptions, peer: string, lines: readonly string[], name: string): string {
  const rawHeaders = lines.flatMap((line) => [name, line]);
  const found = clientAddressResolver(options, "clientAddress").resolve(peer, rawHeaders);
  return found instanceof UnknownAddress ? "unknown" : formatIp(found);
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
        // A line with nothing in it counts as absent.
        for (const text of /^[ \t]*$/.test(line) ? [] : line.split(",").reverse()) {
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
      .tuple(seen, fc.constantFrom("", ":80", ":_x"), fc.option(forged, { freq: 1 }), fc.boolean())
      .map(([text, port, host, first]) => {
        const parts = [`for=${node(text, port)}`, ...(host === null ? [] : [`host=${quoted(clean(host))}`])];
        return { text, written: (first ? parts : parts.reverse()).join(";") };
      });
  const clean = (host: string): string => host.replace(/[^\x20-\x7e]/g, "");

  /** RFC 7239 section 4 as regular expressions, for short lines; undefined: they do not match. */
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
  const readable = String.raw`\t\x20-\x7e\x80-\uffff`;
  const text7230 = String.raw`"(?:(?!["\\])[${readable}]|\\[${readable}])*"`;
  const pair = `(?:${token}=(?:${token}|${text7230}))?`;
  const plainElement = new RegExp(`[ \\t]*(${pair}(?:;${pair})*)[ \\t]*(?:(,)|$)`, "y");

  function plainNodes(line: string): (string | undefined)[] | undefined {
    const nodes: (string | undefined)[] = [];
    plainElement.lastIndex = 0;
    for (;;) {
      const [, pairs, comma] = plainElement.exec(line) ?? [];
      if (pairs === undefined) return undefined;
      const named = [...pairs.matchAll(new RegExp(`(${token})=(${token}|${text7230})`, "g"))]
        .filter(([, name]) => name?.toLowerCase() === "for")
        .map(([, , value = ""]) =>
          value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value,
        );
      if (named.length > 1) return undefined;
      nodes.push(named[0]);
      if (comma === undefined) return nodes;
    }
  }

  function plainAddress(text: string | undefined): string | undefined {
    const [, six, four, port] =
      /^(?:\[([^\]]*:[^\]]*)\]|(\d+\.\d+\.\d+\.\d+))(?::(0|[1-9]\d{0,4}|_[\w.-]+))?$/.exec(text ?? "") ?? [];
    const bare = six ?? four ?? "";
    return isIP(bare) === 0 || bare.includes("%") || Number(port) > 65_535 ? undefined : canonical(bare);
  }

  it("D03 walks as a plain reading of RFC 7239 does", () => {
    const value = fc.oneof(
      fc
        .tuple(fc.oneof(proxy, client), fc.constantFrom("", ":80", ":_x", ":070", ":70000"))
        .map(([text, port]) => node(text, port)),
      fc.constantFrom(
        "unknown",
        "_hidden",
        '"10.0.0.1',
        '"\\1\\0.0.0.1"',
        '""',
        "",
        "[fd00::1]",
        '"fd00::1"',
        '"[10.0.0.1]"',
      ),
    );
    const part = fc.tuple(
      fc.constantFrom("for", "FOR", "by", "proto", "for ", ""),
      fc.constantFrom("=", "=", "=", ""),
      value,
    );
    const pieces = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.oneof(proxy, client).map((text) => `for=${node(text, "")}`) },
        fc
          .array(part, { minLength: 1, maxLength: 2 })
          .map((parts) => parts.map((each) => each.join("")).join(";")),
      ),
      { maxLength: 4 },
    );
    const trusted = parseRanges(proxies, "proxies", { allowAny: false, anyFix: "" });
    let walked = 0;
    check(
      2500,
      fc.property(
        mutated(
          fc.tuple(pieces, spaced).map(([all, comma]) => all.join(comma)),
          1,
        ),
        (line) => {
          const nodes = plainNodes(line);
          let expected = nodes === undefined ? "unknown" : "10.0.0.9";
          for (const text of nodes?.reverse() ?? []) {
            const named = plainAddress(text);
            expected = named ?? "unknown";
            if (named === undefined || !trusted.has(parseIp(named) as IpAddress)) break;
            walked++;
          }
          const options = { trustedProxies: proxies, header: "forwarded" } as const;
          expect([line, find(options, "10.0.0.9", [line], "Forwarded")]).toEqual([line, expected]);
        },
      ),
    );
    expect(walked).toBeGreaterThan(100);
  });

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
