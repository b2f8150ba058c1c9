import { isIP } from "node:net";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { formatIp, formatWords, networkOf, parseIp, parsePeerAddress } from "../../../src/ip/address.js";
import { vectors } from "./address-vectors.js";

function canonical(text: string): string | undefined {
  const address = parseIp(text);
  return address && formatIp(address);
}

const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
const octet = fc.integer({ min: 0, max: 255 });
const quad = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join("."));

/** Texts that look like addresses: real ones, and ones with a piece too many, too few or out of place. */
const addressLike = fc.oneof(
  quad,
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV4Extended(),
  fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: group },
        fc.constantFrom("", "0", "00", "0000", "00000", "ffff", "FFFF"),
        quad,
      ),
      { maxLength: 9 },
    )
    .map((parts) => parts.join(":")),
  fc
    .array(fc.constantFrom("0", "1", "00", "09", "255", "256", "1000", "", "a", " ", "%"), { maxLength: 6 })
    .map((parts) => parts.join(".")),
  fc
    .array(fc.constantFrom("0", "1", "9", "a", "f", "F", "g", ":", "::", ".", "/", "[", " ", "\0", "１"), {
      maxLength: 20,
    })
    .map((parts) => parts.join("")),
);

describe("parseIp", () => {
  it.each(vectors.valid)("D08 reads $input as $canonical", ({ input, canonical: expected, family }) => {
    expect(canonical(input)).toBe(expected);
    expect(parseIp(input)?.family).toBe(family);
  });

  it.each(vectors.invalid)("D10 refuses $input", ({ input }) => {
    expect(parseIp(input)).toBeUndefined();
    expect(parsePeerAddress(input)).toBeUndefined();
  });

  it.each(vectors.validWithZone)(
    "D09 refuses the zone of $input, which a socket's peer may have",
    ({ input }) => {
      expect(parseIp(input)).toBeUndefined();
      expect(parsePeerAddress(input)).toEqual(parseIp(input.slice(0, input.indexOf("%"))));
      expect(parsePeerAddress(input)).toBeDefined();
    },
  );

  it.each(vectors.unmap4in6)("D06 D07 unmaps $input to $ipv4", ({ input, ipv4 }) => {
    const address = parseIp(input);
    if (ipv4 === null) expect(address?.family).toBe(6);
    else expect(address).toEqual(parseIp(ipv4));
  });

  it.each([
    ["::ffff:1.2.3.4"],
    ["::FFFF:1.2.3.4"],
    ["::ffff:102:304"],
    ["::ffff:0102:0304"],
    ["0:0:0:0:0:ffff:1.2.3.4"],
    ["0000:0000:0000:0000:0000:ffff:0102:0304"],
    ["::0:ffff:1.2.3.4"],
  ])("D06 takes %s for 1.2.3.4", (text) => {
    expect(parseIp(text)).toEqual({ family: 4, words: [0x01020304] });
  });

  it.each([
    ["::1.2.3.4"],
    ["64:ff9b::1.2.3.4"],
    ["2002:102:304::"],
    ["2001:0:102:304::"],
    ["::ffff:0:1.2.3.4"],
  ])("D07 leaves %s to IPv6", (text) => {
    expect(parseIp(text)?.family).toBe(6);
  });

  it.each([
    [""],
    ["."],
    ["..."],
    [":"],
    [":::"],
    ["1:::2"],
    ["::1::"],
    [":1::2"],
    ["1::2:"],
    ["1.2.3.4::"],
    ["1.2.3.4:80"],
    ["::1.2.3.4:5"],
    ["::1:1.2.3"],
    ["1:2:3:4:5:6:7:8::"],
    ["::1:2:3:4:5:6:7:8"],
    ["1::2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7:1.2.3.4"],
    ["::1:2:3:4:5:6:7:1.2.3.4"],
    ["::1:2:3:4:5:6:1.2.3.4"],
    ["::12345"],
    ["::ffff:1.2.3.4.5"],
    ["::ffff:01.2.3.4"],
    ["::g"],
    ["::@"],
    ["127.0.0.1."],
    ["127.0.0.1\0"],
    ["1.2.3.4 "],
    ["1/2.3.4"],
    ["1.2.3.:"],
    ["0".repeat(46)],
    [`${"1:".repeat(500)}1`],
  ])("D10 refuses %j", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  it.each([
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["::", "::"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1::", "1::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:0:2:0:0:3:4", "1::2:0:0:3:4"],
    ["1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:0"],
    ["2001:DB8::ABCD", "2001:db8::abcd"],
    ["255.255.255.255", "255.255.255.255"],
    ["128.0.0.1", "128.0.0.1"],
  ])("D08 reads %s and writes it as %s (RFC 5952)", (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it("D10 agrees with net.isIP on every text that has no zone", () => {
    fc.assert(
      fc.property(addressLike, (text) => {
        fc.pre(!text.includes("%"));
        const address = parseIp(text);
        expect(address !== undefined).toBe(isIP(text) !== 0);
        if (address?.family === 6) expect(isIP(text)).toBe(6);
        if (isIP(text) === 4) expect(address?.family).toBe(4);
      }),
      { numRuns: 5000 },
    );
  });

  it("D08 reads back what formatIp writes", () => {
    const word = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 0xffff, 0xffff0000));
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), (words) => {
        const address = parseIp(formatWords(words));
        const mapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
        expect(address).toEqual(mapped ? { family: 4, words: [words[3]] } : { family: 6, words });
        if (address) expect(parseIp(formatIp(address))).toEqual(address);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("parsePeerAddress", () => {
  it("D05 knows no address where the socket has none", () => {
    expect(parsePeerAddress(undefined)).toBeUndefined();
  });

  it.each([["fe80::1%"], ["1.2.3.4%eth0"], ["%eth0"], ["fe80::x%eth0"], ["nowhere"]])(
    "D09 refuses %s",
    (text) => {
      expect(parsePeerAddress(text)).toBeUndefined();
    },
  );

  it("D09 drops a zone", () => {
    expect(parsePeerAddress("fe80::1%eth0")).toEqual(parseIp("fe80::1"));
    expect(parsePeerAddress("192.0.2.1")).toEqual(parseIp("192.0.2.1"));
  });
});

describe("networkOf", () => {
  it("counts an IPv4 address alone, IPv6 by its /64, and everyone without an address as one", () => {
    const of = (text: string) => networkOf(parseIp(text));
    expect(of("192.0.2.1")).not.toBe(of("192.0.2.2"));
    expect(of("2001:db8:0:7::1")).toBe(of("2001:db8:0:7:ffff::2"));
    expect(of("2001:db8:0:7::1")).not.toBe(of("2001:db8:0:8::1"));
    expect(networkOf(undefined)).toBe(of("no address"));
  });
});
