import { describe, expect, it } from "@jest/globals";
import type { Refusal } from "../../../src/errors.js";
import { createAllowlist } from "../../../src/ip/allowlist.js";
import { clientAddressResolver } from "../../../src/ip/client-address.js";
import { findSender, refuseAddress } from "../../../src/ip/sender-address.js";

const direct = clientAddressResolver(undefined, "clientAddress");
const behindProxy = clientAddressResolver({ trustedProxies: ["10.0.0.0/8"] }, "clientAddress");
const list = createAllowlist(["192.0.2.0/24"]);
const shadowList = createAllowlist({ ranges: ["192.0.2.0/24"], mode: "shadow" });
const forwarded = ["Host", "example.org", "X-Forwarded-For", "192.0.2.1"];

function ask(
  remoteAddress: string | undefined,
  { lists = [list], resolver = direct, rawHeaders = [] as readonly string[] } = {},
): { readonly reason: string | undefined; readonly shadow: readonly string[] } {
  const shadow: string[] = [];
  const listener = { wouldRefuse: (refusal: Refusal) => void shadow.push(refusal.reason) };
  const refusal = refuseAddress(lists, findSender(resolver, remoteAddress, rawHeaders), listener);
  return { reason: refusal?.reason, shadow };
}

describe("refuseAddress", () => {
  it("lets pass whom all lists have", () => {
    expect(ask("192.0.2.7")).toEqual({ reason: undefined, shadow: [] });
    expect(ask("192.0.2.7", { lists: [list, createAllowlist([])] }).reason).toBe(
      "192.0.2.7 is in no range of the allowlist",
    );
  });

  it("D05 refuses an address that cannot be known", () => {
    expect(ask(undefined).reason).toMatch(/^the sender's address cannot be known: ./);
  });

  it("only tells what a list in shadow mode would have refused, and goes on with the next", () => {
    const reason = "198.51.100.1 is in no range of the allowlist";
    expect(ask("198.51.100.1", { lists: [shadowList] })).toEqual({ reason: undefined, shadow: [reason] });
    expect(ask("198.51.100.1", { lists: [shadowList, list] })).toEqual({ reason, shadow: [reason] });
  });

  it("D01 points at a proxy that was not declared, whether its address is known or not", () => {
    const hint = "is a proxy of yours, declare it in clientAddress.trustedProxies";
    expect(ask("10.0.0.1", { rawHeaders: forwarded }).reason).toContain(
      `the request has X-Forwarded-For: if 10.0.0.1 ${hint}`,
    );
    expect(ask(undefined, { rawHeaders: forwarded }).reason).toContain(`if the peer ${hint}`);
  });

  it("gives no hint where proxies are declared, or no such header came", () => {
    const reason = "10.0.0.1 is in no range of the allowlist";
    expect(ask("10.0.0.1", { rawHeaders: ["Host", "x-forwarded-for"] }).reason).toBe(reason);
    const behind = { resolver: behindProxy, rawHeaders: ["Forwarded", "for=198.51.100.1"] };
    expect(ask("198.51.100.1", behind).reason).not.toContain("clientAddress.trustedProxies");
  });
});
