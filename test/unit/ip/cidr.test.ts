import { describe, expect, it } from "@jest/globals";
import * as ipCidr from "ip-cidr";
import { bounds, mixedBounds, parseRange, readNetwork } from "../../../src/ip/cidr.js";

describe("mixedBounds", () => {
  const mixed = [
    "64:ff9b::192.0.2.0/120",
    "::10.0.0.0/104",
    "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.0/95",
    "2001:db8::203.0.113.7/128",
    "::0.0.0.0/0",
  ];

  it.each(mixed)("takes the bounds of %s from ip-cidr, and they are ours", (text) => {
    const network = readNetwork(text, text.indexOf("/"));
    if (network === undefined) throw new Error("not read");
    const loaded: string[] = [];
    const load = (name: "ip-cidr") => {
      loaded.push(name);
      return ipCidr;
    };
    expect(mixedBounds(network, load)).toEqual(bounds(network));
    expect(loaded).toEqual(["ip-cidr"]);
  });

  it("takes our own bounds where ip-cidr cannot be loaded", () => {
    const network = readNetwork("64:ff9b::192.0.2.0/120", 18);
    if (network === undefined) throw new Error("not read");
    const load = () => {
      throw new Error("not in this bundle");
    };
    expect(mixedBounds(network, load)).toEqual({
      first: [0x64ff9b, 0, 0, 0xc0000200],
      last: [0x64ff9b, 0, 0, 0xc00002ff],
    });
  });

  it.each(["::ffff:10.0.0.0/104", "64:ff9b::192.0.2.0/120"])("is what %s is read by", (text) => {
    const read = parseRange(text);
    expect(read).toBeDefined();
    expect(read).toEqual(parseRange(text === "::ffff:10.0.0.0/104" ? "10.0.0.0/8" : "64:ff9b::c000:200/120"));
  });
});
