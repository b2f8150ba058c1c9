import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Refusal } from "../../../src/errors.js";
import { formatIp } from "../../../src/ip/address.js";
import { createAllowlist } from "../../../src/ip/allowlist.js";
import {
  type ClientAddressOptions,
  clientAddressResolver,
  findSender,
  refuseAddress,
  UnknownAddress,
} from "../../../src/ip/client-address.js";
import { vectors } from "./address-vectors.js";

function ask(options: unknown, remoteAddress: string | undefined, rawHeaders: readonly string[]) {
  return clientAddressResolver(options as ClientAddressOptions, "clientAddress").resolve(
    remoteAddress,
    rawHeaders,
  );
}

/** The sender's address, or why it is unknown. */
function find(options: unknown, remoteAddress: string | undefined, rawHeaders: readonly string[]): string {
  const found = ask(options, remoteAddress, rawHeaders);
  return found instanceof UnknownAddress ? `unknown: ${found.unknown}` : formatIp(found);
}

const xff = (...lines: string[]): string[] => lines.flatMap((line) => ["X-Forwarded-For", line]);
const forwarded = (...lines: string[]): string[] => lines.flatMap((line) => ["Forwarded", line]);
const ten = { trustedProxies: ["10.0.0.0/8"] };
const tenForwarded = { ...ten, header: "forwarded" };

describe("without proxies", () => {
  it.each([[undefined], [{}], [{ trustedProxies: undefined }], [{ trustedProxies: [] }]])(
    "D01 takes the peer and looks at no header: %j",
    (options) => {
      const headers = [
        "X-Real-IP",
        "6.6.6.6",
        "CF-Connecting-IP",
        "6.6.6.6",
        ...xff("6.6.6.6"),
        ...forwarded("for=6.6.6.6"),
      ];
      expect(find(options, "192.0.2.1", headers)).toBe("192.0.2.1");
      expect(find(options, "::ffff:192.0.2.1", headers)).toBe("192.0.2.1");
      expect(find(options, "fe80::1%eth0", headers)).toBe("fe80::1");
    },
  );

  it.each([[undefined], [{ trustedProxies: 1 }], [ten]])(
    "D05 knows no sender without a peer: %j",
    (options) => {
      expect(find(options, undefined, xff("1.2.3.4"))).toMatch(
        /^unknown: the connection has no peer address/,
      );
      expect(find(options, "x\n", xff("1.2.3.4"))).toBe(
        `unknown: the connection's peer is not an address: "x\\u000a"`,
      );
    },
  );

  it("D01 ignores the header of a peer that is no proxy, however bad it is", () => {
    expect(find(ten, "192.0.2.1", xff("10.0.0.2", "x".repeat(5000)))).toBe("192.0.2.1");
  });
});

describe("with proxies listed", () => {
  it.each(vectors.forwardedFor)("D03 $why", ({ remoteAddress, xForwardedFor, trusted, client }) => {
    const found = find({ trustedProxies: trusted }, remoteAddress ?? undefined, xff(...xForwardedFor));
    if (client === null) expect(found).toMatch(/^unknown: /);
    else expect(found).toBe(client);
  });

  it("D03 joins several lines in their order, whatever their case", () => {
    const headers = [
      "x-forwarded-for",
      "6.6.6.6",
      "Host",
      "x",
      "X-FORWARDED-FOR",
      "1.2.3.4,\t10.0.0.3 ",
      "x-forwarded-fox",
      "9.9.9.9",
    ];
    expect(find(ten, "10.0.0.1", headers)).toBe("1.2.3.4");
    expect(find(ten, "10.0.0.1", xff("1.2.3.4", "10.0.0.2", "10.0.0.3"))).toBe("1.2.3.4");
  });

  it("takes the proxy itself where it sends no header", () => {
    expect(find(ten, "10.0.0.1", [])).toBe("10.0.0.1");
    expect(find(ten, "10.0.0.1", ["Odd"])).toBe("10.0.0.1");
  });

  it.each([
    ["1.2.3.4:5678", "1.2.3.4"],
    ["1.2.3.4:0", "1.2.3.4"],
    ["2001:db8::1", "2001:db8::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["[2001:DB8::1]:65535", "2001:db8::1"],
    ["[::ffff:1.2.3.4]:1", "1.2.3.4"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["6.6.6.6, 1.2.3.4 ,::ffff:10.0.0.9", "1.2.3.4"],
  ])("D03 D06 reads %j as %s", (value, client) => {
    expect(find(ten, "10.0.0.1", xff(value))).toBe(client);
  });

  it.each([
    [","],
    [" ,"],
    ["1.2.3.4,"],
    ["unknown"],
    ["_hidden"],
    ['"1.2.3.4"'],
    ["1.2.3.4:"],
    ["1.2.3.4:65536"],
    ["1.2.3.4:080"],
    ["1.2.3.4:-1"],
    ["1.2.3.4:1.5"],
    ["1.2.3.4:1e3"],
    ["1.2.3.4:_x"],
    ["1.2.3.4:80:80"],
    ["[1.2.3.4]"],
    ["[::1"],
    ["[::1]x"],
    ["[::1]x:80"],
    ["[]"],
    ["[::1]]:80"],
    ["::1]:80"],
    ["fe80::1%eth0"],
    ["[fe80::1%eth0]"],
    ["010.0.0.1"],
    ["1.2.3.4\u00a0"],
    ["127.1"],
    ["1.2.3.4 5.6.7.8"],
    ["1.2.3.4;5.6.7.8"],
  ])("D03 D09 D10 does not know the sender behind %j", (value) => {
    expect(find(ten, "10.0.0.1", xff(value))).toMatch(
      /^unknown: entry 1 from the right of x-forwarded-for is not an address/,
    );
    expect(find(ten, "10.0.0.1", xff(`5.5.5.5,${value},10.0.0.2`))).toMatch(
      /^unknown: entry [23] from the right/,
    );
  });

  it.each([[xff("")], [xff(" \t ")], [xff("", " ")]])("takes an empty header for none: %j", (headers) => {
    expect(find(ten, "10.0.0.1", headers)).toBe("10.0.0.1");
    expect(find(ten, "10.0.0.1", [...headers, ...xff("1.2.3.4")])).toBe("1.2.3.4");
    expect(find(ten, "10.0.0.1", [...xff("1.2.3.4"), ...headers])).toBe("1.2.3.4");
    expect(find({ trustedProxies: 1 }, "10.0.0.1", [...xff("1.2.3.4"), ...headers])).toBe("1.2.3.4");
    expect(find({ trustedProxies: 1 }, "10.0.0.1", headers)).toContain("has 0 of the 1 entries");
    expect(find({ trustedProxies: ["unix"] }, undefined, headers)).toContain("sent no x-forwarded-for");
    expect(find(ten, "10.0.0.1", xff("1.2.3.4,"))).toContain("unknown");
  });

  it("D03 never looks behind the first address that is no proxy's", () => {
    expect(find(ten, "10.0.0.1", xff("unknown, 1.2.3.4, 10.0.0.2"))).toBe("1.2.3.4");
  });

  it("D04 refuses more than 32 entries and more than 4096 characters", () => {
    const many = (count: number): string => Array.from({ length: count }, () => "10.0.0.2").join(",");
    expect(find(ten, "10.0.0.1", xff(many(32)))).toBe("10.0.0.2");
    expect(find(ten, "10.0.0.1", xff(many(33)))).toBe("unknown: x-forwarded-for has more than 32 entries");
    expect(find(ten, "10.0.0.1", xff(many(16), many(17)))).toMatch(/more than 32/);
    const wide = `1.2.3.4${" ".repeat(4089)}`;
    expect(find(ten, "10.0.0.1", xff(wide))).toBe("1.2.3.4");
    expect(find(ten, "10.0.0.1", xff(`${wide} `))).toBe(
      "unknown: x-forwarded-for is longer than 4096 characters",
    );
    expect(find(ten, "10.0.0.1", xff("10.0.0.2", wide))).toMatch(/longer than 4096/);
  });

  it.each([
    ["loopback", ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"], ["128.0.0.1", "::2"]],
    ["linklocal", ["169.254.1.1", "fe80::1%eth0", "febf::1"], ["169.255.0.1", "fec0::1"]],
    [
      "uniquelocal",
      ["10.1.1.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"],
      ["11.0.0.1", "172.32.0.1", "192.169.0.1", "fe00::1", "127.0.0.1"],
    ],
  ])("knows the ranges of %s", (name, inside, outside) => {
    const options = { trustedProxies: [name] };
    for (const peer of inside) expect(find(options, peer, xff("1.2.3.4"))).toBe("1.2.3.4");
    for (const peer of outside) expect(find(options, peer, xff("1.2.3.4"))).not.toBe("1.2.3.4");
  });

  it("D05 believes a Unix socket only where unix is named", () => {
    const unix = { trustedProxies: ["unix", "10.0.0.0/8"] };
    expect(find(unix, undefined, xff("1.2.3.4, 10.0.0.2"))).toBe("1.2.3.4");
    expect(find(unix, undefined, [])).toBe("unknown: the proxy at the Unix socket sent no x-forwarded-for");
    expect(find(unix, "nowhere", xff("1.2.3.4"))).toMatch(/^unknown: the connection's peer/);
    expect(find(unix, "192.0.2.1", xff("1.2.3.4"))).toBe("192.0.2.1");
  });

  it("takes no address that only the sender wrote", () => {
    const address = fc.ipV4().filter((text) => !text.startsWith("10."));
    fc.assert(
      fc.property(
        fc.array(fc.string(), { maxLength: 3 }),
        address,
        fc.integer({ min: 0, max: 3 }),
        (forged, client, proxies) => {
          const written = Array.from({ length: proxies }, (_, index) => `10.0.0.${index}`);
          const lines = xff(
            ...forged.map((text) => text.replaceAll(",", "")),
            [client, ...written].join(", "),
          );
          expect(find(ten, "10.0.0.1", lines)).toBe(client);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("with proxies counted", () => {
  it.each([
    [1, "6.6.6.6, 1.2.3.4", "1.2.3.4"],
    [2, "6.6.6.6, 1.2.3.4, 5.5.5.5", "1.2.3.4"],
    [2, "1.2.3.4, unknown", "1.2.3.4"],
    [1, "[2001:db8::1]:443", "2001:db8::1"],
  ])("D02 takes entry %i from the right of %j", (trustedProxies, value, client) => {
    expect(find({ trustedProxies }, "192.0.2.1", xff(value))).toBe(client);
  });

  it("D02 knows no sender where entries are missing", () => {
    expect(find({ trustedProxies: 2 }, "192.0.2.1", xff("6.6.6.6"))).toBe(
      "unknown: x-forwarded-for has 1 of the 2 entries that clientAddress.trustedProxies counts on",
    );
    expect(find({ trustedProxies: 1 }, "192.0.2.1", [])).toMatch(/^unknown: x-forwarded-for has 0 of the 1/);
    expect(find({ trustedProxies: 1 }, "192.0.2.1", xff("1.2.3.4, unknown"))).toMatch(/^unknown: entry 1/);
    expect(find({ trustedProxies: 1 }, "192.0.2.1", xff("x".repeat(4097)))).toMatch(/longer/);
  });
});

describe("with Forwarded", () => {
  it.each([
    [["for=1.2.3.4"], "1.2.3.4"],
    [["For=1.2.3.4;proto=http;by=10.0.0.1"], "1.2.3.4"],
    [["proto=https;FOR=1.2.3.4"], "1.2.3.4"],
    [['for="1.2.3.4:5678"'], "1.2.3.4"],
    [['for="1.2.3.4:_p0rt.-"'], "1.2.3.4"],
    [['for="[2001:db8::1]"'], "2001:db8::1"],
    [['for="[2001:db8::1]:443"'], "2001:db8::1"],
    [['for="\\1.2\\.3.4"'], "1.2.3.4"],
    [['for=6.6.6.6, for=1.2.3.4 ,\tfor="10.0.0.2:80"'], "1.2.3.4"],
    [["for=6.6.6.6", "for=1.2.3.4", "for=10.0.0.2;host=a"], "1.2.3.4"],
    [['host=", for=6.6.6.6\t\u00e9";for=1.2.3.4'], "1.2.3.4"],
    [[";for=1.2.3.4;;"], "1.2.3.4"],
    [["by=_x, for=1.2.3.4"], "1.2.3.4"],
  ])("D03 reads %j as %s", (lines, client) => {
    expect(find(tenForwarded, "10.0.0.1", forwarded(...lines))).toBe(client);
  });

  it.each([
    ["for"],
    ["for="],
    ["for= 1.2.3.4"],
    ["for =1.2.3.4"],
    ["=1.2.3.4"],
    ["for=1.2.3.4:80"],
    ["for=[2001:db8::1]"],
    ['for="1.2.3.4'],
    ['for="1.2.3.4\\'],
    ['for="1.2.3.4"x'],
    ['for="1.2.3.4\n"'],
    ['for="1.2.3.4\x7f"'],
    ["for=1.2.3.4;for=5.6.7.8"],
    ["for=1.2.3.4; proto=http"],
    ["for=6.6.6.6 xfor=1.2.3.4"],
    ['for=1.2.3.4, x="'],
  ])("D03 refuses all of %j, which breaks the grammar", (line) => {
    const found = find(tenForwarded, "10.0.0.1", forwarded("for=1.2.3.4", line, "for=1.2.3.4"));
    expect(found).toBe("unknown: forwarded breaks the grammar of RFC 7239 section 4");
  });

  it.each([[""], ["for=1.2.3.4,"], ["proto=https;by=10.0.0.1"]])(
    "D03 does not know the sender behind %j, which names nobody",
    (line) => {
      expect(find(tenForwarded, "10.0.0.1", forwarded(line))).toBe(
        'unknown: entry 1 from the right of forwarded has no "for"',
      );
    },
  );

  it.each([
    ["for=unknown"],
    ["for=_hidden"],
    ['for="_hidden:80"'],
    ['for=""'],
    ['for="2001:db8::1"'],
    ['for="[1.2.3.4]"'],
    ['for="[2001:db8::1"'],
    ['for="[2001:db8::1]80"'],
    ['for="1.2.3.4:_"'],
    ['for="1.2.3.4:_a b"'],
  ])("D03 does not know the sender behind %j, which is no address", (line) => {
    expect(find(tenForwarded, "10.0.0.1", forwarded(line))).toMatch(
      /^unknown: entry 1 from the right of forwarded is not an address/,
    );
  });

  it("D03 lets a quote that the sender left open swallow nothing", () => {
    expect(find(tenForwarded, "10.0.0.1", forwarded('for=6.6.6.6;x="', 'for=1.2.3.4;y="'))).toMatch(
      /^unknown: forwarded breaks/,
    );
  });

  it("D01 reads one header only", () => {
    expect(find(tenForwarded, "10.0.0.1", [...xff("6.6.6.6"), ...forwarded("for=1.2.3.4")])).toBe("1.2.3.4");
    expect(find(ten, "10.0.0.1", [...forwarded("for=6.6.6.6"), ...xff("1.2.3.4")])).toBe("1.2.3.4");
  });

  it("D04 counts its elements", () => {
    const many = Array.from({ length: 33 }, () => "for=10.0.0.2").join(", ");
    expect(find(tenForwarded, "10.0.0.1", forwarded(many))).toBe(
      "unknown: forwarded has more than 32 entries",
    );
    expect(find({ trustedProxies: 1, header: "forwarded" }, "10.0.0.1", forwarded("for=1.2.3.4"))).toBe(
      "1.2.3.4",
    );
  });
});

describe("options", () => {
  it.each([
    [null, "clientAddress must be an object"],
    [{ trustProxy: 1 }, 'clientAddress has no option "trustProxy"'],
    [{ header: "forwarded" }, "clientAddress.header has no effect without clientAddress.trustedProxies"],
    [{ trustedProxies: 1, header: "x-real-ip" }, "clientAddress.header must be one of"],
    [{ trustedProxies: true }, "what everyone trusts, everyone can write; leave it out for none"],
    [{ trustedProxies: false }, "not false; leave it out for none"],
    [
      { trustedProxies: "loopback" },
      'must be an array such as ["10.0.0.0/8", "loopback"] or the number of proxies',
    ],
    [{ trustedProxies: null }, "not null"],
    [{ trustedProxies: 0 }, "a whole number from 1 to 32, not 0"],
    [{ trustedProxies: 33 }, "not 33"],
    [{ trustedProxies: 1.5 }, "not 1.5"],
    [{ trustedProxies: Number.NaN }, "not NaN"],
    [
      { trustedProxies: ["loopbak"] },
      'neither an address nor one of "loopback", "linklocal", "uniquelocal", "unix"',
    ],
    [{ trustedProxies: ["10.0.0.1/8"] }, 'write "10.0.0.0/8"'],
    [{ trustedProxies: ["fe80::1%eth0"] }, "zone"],
    [{ trustedProxies: ["0.0.0.0/0"] }, "list your proxies only"],
    [{ trustedProxies: ["::/1", "8000::/1"] }, "list your proxies only"],
    [{ trustedProxies: [7] }, "[0] is 7, not a string such as"],
  ])("D02 D09 D12 refuses %j", (options, part) => {
    expect(() => ask(options, "192.0.2.1", [])).toThrow(TypeError);
    expect(() => ask(options, "192.0.2.1", [])).toThrow(part);
  });
});

const direct = clientAddressResolver(undefined, "clientAddress");
const behindProxy = clientAddressResolver({ trustedProxies: ["10.0.0.0/8"] }, "clientAddress");
const list = createAllowlist(["192.0.2.0/24"]);
const shadowList = createAllowlist({ ranges: ["192.0.2.0/24"], mode: "shadow" });
const forwardedBy = ["Host", "example.org", "X-Forwarded-For", "192.0.2.1"];

function refuse(
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
    expect(refuse("192.0.2.7")).toEqual({ reason: undefined, shadow: [] });
    expect(refuse("192.0.2.7", { lists: [list, createAllowlist([])] }).reason).toBe(
      "192.0.2.7 is in no range of the allowlist",
    );
  });

  it("D05 refuses an address that cannot be known", () => {
    expect(refuse(undefined).reason).toMatch(/^the sender's address cannot be known: ./);
  });

  it("only tells what a list in shadow mode would have refused, and goes on with the next", () => {
    const reason = "198.51.100.1 is in no range of the allowlist";
    expect(refuse("198.51.100.1", { lists: [shadowList] })).toEqual({ reason: undefined, shadow: [reason] });
    expect(refuse("198.51.100.1", { lists: [shadowList, list] })).toEqual({ reason, shadow: [reason] });
  });

  it("D01 points at a proxy that was not declared, whether its address is known or not", () => {
    const hint = "is a proxy of yours, declare it in clientAddress.trustedProxies";
    expect(refuse("10.0.0.1", { rawHeaders: forwardedBy }).reason).toContain(
      `the request has X-Forwarded-For: if 10.0.0.1 ${hint}`,
    );
    expect(refuse(undefined, { rawHeaders: forwardedBy }).reason).toContain(`if the peer ${hint}`);
  });

  it("gives no hint where proxies are declared, or no such header came", () => {
    const reason = "10.0.0.1 is in no range of the allowlist";
    expect(refuse("10.0.0.1", { rawHeaders: ["Host", "x-forwarded-for"] }).reason).toBe(reason);
    const behind = { resolver: behindProxy, rawHeaders: ["Forwarded", "for=198.51.100.1"] };
    expect(refuse("198.51.100.1", behind).reason).not.toContain("clientAddress.trustedProxies");
  });
});
