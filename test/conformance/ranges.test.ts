/** The bounds of address ranges, held against those of ip-cidr. */
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "@jest/globals";
import { formatIp } from "../../src/ip/address.js";
import { parseRange } from "../../src/ip/cidr.js";

const count = 100_000;

/** mulberry32: the same ranges in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** The words with all bits after the prefix cleared, by text and not by the arithmetic under test. */
function masked(words: readonly number[], prefix: number): number[] {
  const bits = words.map((word) => word.toString(2).padStart(32, "0")).join("");
  const kept = bits.slice(0, prefix).padEnd(bits.length, "0");
  return words.map((_, k) => Number.parseInt(kept.slice(32 * k, 32 * k + 32), 2));
}

/** A third IPv4, and every prefix length of each family in turn. */
function canonicalRanges(): string[] {
  const random = seeded(11);
  return Array.from({ length: count }, (_, n) => {
    const family = n % 3 === 0 ? 4 : 6;
    const prefix = Math.floor(n / 3) % (family === 4 ? 33 : 129);
    const words = masked(Array.from({ length: family === 4 ? 1 : 4 }, random), prefix);
    return `${formatIp({ family, words })}/${prefix}`;
  });
}

/** In a process of its own: inside Jest's sandbox ip-cidr takes four times as long. */
const oracle = `
  import { readFileSync } from "node:fs";
  import IpCidr from "ip-cidr";
  const asNumber = { type: "bigInteger" };
  for (const text of readFileSync(0, "utf8").split("\\n")) {
    const cidr = new IpCidr(text);
    console.log(cidr.start(asNumber).toString(16) + " " + cidr.end(asNumber).toString(16));
  }`;

const hexOf = (words: readonly number[]): string =>
  BigInt(`0x${words.map((word) => word.toString(16).padStart(8, "0")).join("")}`).toString(16);

describe("the bounds of 100,000 canonical ranges", () => {
  const texts = canonicalRanges();

  it("are of both families and of every prefix length", () => {
    const kinds = new Set(texts.map((text) => `${text.includes(":")} ${text.split("/")[1]}`));
    expect(kinds.size).toBe(33 + 129);
  });

  it("are those of ip-cidr", () => {
    const script = ["--input-type=module", "-e", oracle];
    const output = execFileSync(process.execPath, script, {
      input: texts.join("\n"),
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    const theirs = output.trimEnd().split("\n");
    const ours = texts.map((text) => {
      const range = parseRange(text);
      return range === undefined ? "refused" : `${hexOf(range.first)} ${hexOf(range.last)}`;
    });
    expect(theirs).toHaveLength(count);
    expect(texts.filter((_, n) => ours[n] !== theirs[n])).toEqual([]);
  });
});
