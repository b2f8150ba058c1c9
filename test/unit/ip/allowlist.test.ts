import { describe, expect, it } from "@jest/globals";
import { parseIp } from "../../../src/ip/address.js";
import { type AllowIpsOptions, createAllowlist, resolveAllowIps } from "../../../src/ip/allowlist.js";
import type { AddressList } from "../../../src/types/credential.js";

function has(list: AddressList, text: string): boolean {
  const address = parseIp(text);
  return address !== undefined && list.has(address);
}

/** For what the types already refuse. */
function untyped(value: unknown): AllowIpsOptions {
  return value as AllowIpsOptions;
}

describe("createAllowlist", () => {
  it("holds the addresses of its ranges and enforces them", () => {
    const list = createAllowlist(["203.0.113.0/24", "2001:db8::/32"]);
    expect([list.mode, list.size]).toEqual(["enforce", 2]);
    expect([has(list, "203.0.113.9"), has(list, "2001:db8::1"), has(list, "192.0.2.1")]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("takes ranges with a mode", () => {
    expect(createAllowlist({ ranges: ["192.0.2.1"], mode: "shadow" }).mode).toBe("shadow");
    expect(createAllowlist({ ranges: ["192.0.2.1"] }).mode).toBe("enforce");
  });

  it("D14 lets nobody in when empty", () => {
    expect(has(createAllowlist([]), "192.0.2.1")).toBe(false);
    expect(createAllowlist({ ranges: [] }).size).toBe(0);
  });

  it("D11 lets everybody in only when told so loudly", () => {
    expect(() => createAllowlist(["0.0.0.0/0"])).toThrow(/dangerouslyAllowAnyAddress: true/);
    expect(() => createAllowlist({ ranges: ["::/1", "8000::/1"] })).toThrow(
      /dangerouslyAllowAnyAddress: true/,
    );
    const list = createAllowlist({ ranges: ["0.0.0.0/0"], dangerouslyAllowAnyAddress: true });
    list.replace(["::/0"]);
    expect(has(list, "::1")).toBe(true);
  });

  it.each([
    [undefined, "allowlist is undefined"],
    [null, "allowlist is null"],
    ["10.0.0.0/8", 'write ["203.0.113.0/24"]'],
    [{}, "allowlist.ranges is undefined"],
    [Object.create({ ranges: ["10.0.0.0/8"] }), "allowlist.ranges is undefined"],
    [{ ranges: "10.0.0.0/8" }, "allowlist.ranges must be an array"],
    [{ ranges: [], mod: "shadow" }, 'did you mean "mode"?'],
    [{ ranges: [], mode: "off" }, 'allowlist.mode must be one of "enforce", "shadow"'],
    [
      { ranges: ["::/0"], dangerouslyAllowAnyAddress: "yes" },
      "allowlist.dangerouslyAllowAnyAddress must be true",
    ],
    [[undefined], "[0] is undefined: is its environment variable set?"],
  ])("D14 refuses %j", (value, part) => {
    expect(() => createAllowlist(untyped(value))).toThrow(TypeError);
    expect(() => createAllowlist(untyped(value))).toThrow(part);
  });

  it("D15 replaces all ranges at once, and keeps the old ones where the new cannot be used", () => {
    const list = createAllowlist(["192.0.2.1"]);
    list.replace(["192.0.2.2", "192.0.2.9"]);
    expect([has(list, "192.0.2.1"), has(list, "192.0.2.2"), list.size]).toEqual([false, true, 2]);
    expect(() => list.replace(["192.0.2.3", "192.0.2.3/24", "0.0.0.0/0"])).toThrow(/allowlist has 2 entries/);
    expect(() => list.replace(untyped(undefined) as readonly string[])).toThrow(TypeError);
    expect([has(list, "192.0.2.2"), has(list, "192.0.2.3"), list.size]).toEqual([true, false, 2]);
    list.replace([]);
    expect(has(list, "192.0.2.2")).toBe(false);
  });
});

describe("resolveAllowIps", () => {
  it("uses a shared allowlist as it is, so that replacing reaches every route", () => {
    const list = createAllowlist(["192.0.2.1"]);
    expect(resolveAllowIps(list, "allowIps")).toBe(list);
  });

  it("makes a list of ranges, with errors that name the option", () => {
    expect(has(resolveAllowIps(["192.0.2.1"], "allowIps"), "192.0.2.1")).toBe(true);
    expect(() => resolveAllowIps(["x"], "allowIps")).toThrow(/^allowIps has 1 entry/);
    expect(() => resolveAllowIps(untyped("10.0.0.0/8"), "allowIps")).toThrow(/write \["203/);
    expect(() => resolveAllowIps(untyped({ mode: "enforce", has: () => true }), "allowIps")).toThrow(
      /allowIps has no option "has"/,
    );
  });
});
