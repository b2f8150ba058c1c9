import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { parseKeyOptions } from "../../../src/auth/key-options.js";

const good = "kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0PaU";
const sha256 = createHash("sha256").update(good).digest();

function messageOf(value: unknown): string {
  try {
    parseKeyOptions(value, "keys[0]");
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
  throw new Error("was taken");
}

describe("parseKeyOptions", () => {
  it("keeps the digest of a key, not the key", () => {
    const parsed = parseKeyOptions({ id: "k", key: good }, "keys[0]");
    expect(parsed.digest).toEqual(sha256);
    expect(JSON.stringify(parsed)).not.toContain(good);
  });

  it("C10 reads a digest in its three spellings", () => {
    const spellings = [
      `sha256:${sha256.toString("hex")}`,
      sha256.toString("hex").toUpperCase(),
      sha256.toString("base64url"),
    ];
    for (const digest of spellings) {
      expect(parseKeyOptions({ id: "k", digest }, "keys[0]").digest).toEqual(sha256);
    }
  });

  it("refuses what is no digest, also a base64url text with unused bits set", () => {
    const loose = `${sha256.toString("base64url").slice(0, -1)}_`;
    for (const digest of ["", "sha256:", "sha1:00", sha256.toString("hex").slice(1), loose, 5, null]) {
      expect(messageOf({ id: "k", digest })).toMatch(/^keys\[0\]\.digest must be the key's SHA-256/);
    }
  });

  it.each([
    ["undefined", undefined, /is undefined: is its environment variable set/],
    ["the text undefined", "undefined", /is the text "undefined": is its environment variable set/],
    ["the text null", "null", /is the text "null"/],
    ["null", null, /must be a string, not null/],
    ["a number", 12345, /must be a string/],
    ["an empty string", "", /is an empty string; make one with: npx hookgate key new/],
    ["whitespace", " ".repeat(40), /holds a space/],
    ["a line end", `${good}\n`, /holds a line end .*trim/],
    ["a tab", `${good}\t`, /holds a control character/],
    ["a comma", `${good},${good}`, /holds a comma/],
    ["letters outside ASCII", `${good}é`, /holds a character outside ASCII/],
    ["31 characters", good.slice(1), /has 31 characters and must have 32 or more; .*insecureShortKey: true/],
    ["513 characters", "a".repeat(513), /has 513 characters and may have at most 512/],
  ])("C02 refuses %s as a key, with the fix, without quoting it", (_name, key, message) => {
    const text = messageOf({ id: "k", key });
    expect(text).toMatch(message);
    expect(text).toMatch(/^keys\[0\]\.key /);
    if (typeof key === "string" && key.length > 10) expect(text).not.toContain(key);
  });

  it("C02 takes a short key by its loud option only", () => {
    expect(parseKeyOptions({ id: "k", key: "short", insecureShortKey: true }, "keys[0]").id).toBe("k");
    expect(messageOf({ id: "k", key: "short", insecureShortKey: "yes" })).toMatch(/must be true or left out/);
    expect(messageOf({ id: "k", key: "", insecureShortKey: true })).toMatch(/empty string/);
    expect(messageOf({ id: "k", key: "undefined", insecureShortKey: true })).toMatch(/environment variable/);
    const digest = sha256.toString("hex");
    expect(messageOf({ id: "k", digest, insecureShortKey: true })).toMatch(/goes with key/);
  });

  it("refuses a key in the shape of something else", () => {
    expect(messageOf(good)).toMatch(/must be an object such as \{ id: "key-1"/);
    expect(messageOf([])).toMatch(/must be an object/);
    expect(messageOf({ id: "k" })).toMatch(/needs key, or digest/);
    expect(messageOf({ id: "k", key: good, digest: "00" })).toMatch(/has both key and digest/);
    expect(messageOf({ key: good })).toMatch(/id is missing/);
    expect(messageOf({ id: "a\nb", key: good })).toMatch(/id must be 1 to 100 printable/);
    expect(messageOf({ id: "k", key: good, expiresat: "2030" })).toMatch(/did you mean "expiresAt"/);
    expect(messageOf({ id: "k", key: good, expiresAt: "2030-01-01" })).toMatch(/with its zone/);
  });

  it("I09 reads own members only", () => {
    const polluted = Object.create({ key: good, digest: sha256.toString("hex") }) as object;
    expect(messageOf(Object.assign(polluted, { id: "k" }))).toMatch(/needs key, or digest/);
  });
});
