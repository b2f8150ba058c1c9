import { rm } from "node:fs/promises";
import { createServer, type RequestListener, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { createAllowlist, createReceiver, type ReceiverOptions, requireAllowedIp } from "hookgate";
import { sendDelivery } from "hookgate/testing";
import { quiet } from "../support/quiet.js";
import { vectors } from "../unit/ip/address-vectors.js";

type ClientAddressOptions = ReceiverOptions["clientAddress"];
type AllowIps = Parameters<typeof requireAllowedIp>[0];
interface Entrance {
  /** Status of the answer. */
  readonly status: number;
  /** The sender's address where the delivery passed. */
  readonly address?: string | undefined;
}
type Enter = (
  allowIps: AllowIps,
  from: { remoteAddress: string; xForwardedFor?: readonly string[]; clientAddress?: ClientAddressOptions },
) => Promise<Entrance>;

const anyone = { ranges: ["0.0.0.0/0", "::/0"], dangerouslyAllowAnyAddress: true } as const;
const proxied = { clientAddress: { trustedProxies: ["10.0.0.0/8"] }, remoteAddress: "10.0.0.1" };

function receiverFor(allowIps: AllowIps, clientAddress?: ClientAddressOptions) {
  const seen: (string | undefined)[] = [];
  const receiver = createReceiver({
    name: "addresses",
    auth: { dangerouslyAcceptAnyone: true },
    type: () => "any",
    allowIps,
    clientAddress,
    logger: quiet,
  });
  receiver.onAny((_event, { delivery }) => seen.push(delivery.address));
  return { seen, listener: receiver.middleware() as unknown as RequestListener };
}

const headers = (lines: readonly string[] | undefined) =>
  lines === undefined ? {} : { headers: { "x-forwarded-for": lines } };

const entrances: readonly (readonly [string, Enter])[] = [
  [
    "a receiver",
    async (allowIps, { remoteAddress, xForwardedFor, clientAddress }) => {
      const { seen, listener } = receiverFor(allowIps, clientAddress);
      const delivery = { body: {}, ...headers(xForwardedFor) };
      const { status } = await sendDelivery(listener, delivery, { remoteAddress });
      return { status, address: seen[0] };
    },
  ],
  [
    "requireAllowedIp",
    async (allowIps, { remoteAddress, xForwardedFor, clientAddress }) => {
      const guard = requireAllowedIp(allowIps, { clientAddress, logger: quiet });
      const listener: RequestListener = (req, res) => guard(req, res, () => res.end());
      const delivery = { body: {}, ...headers(xForwardedFor) };
      return { status: (await sendDelivery(listener, delivery, { remoteAddress })).status };
    },
  ],
];

/** How an address may be sent in a header, which holds bytes and is trimmed by every HTTP parser. */
const sendable = (address: string): boolean => /^[!-~](?:[ -~]*[!-~])?$/.test(address);

describe.each(entrances)("addresses.json through %s", (_name, enter) => {
  const status = async (...args: Parameters<Enter>): Promise<number> => (await enter(...args)).status;

  it.each(vectors.valid)("D08 takes $input for $canonical", async ({ input, canonical, family }) => {
    expect(await status([canonical], { remoteAddress: input })).toBe(200);
    const { address = canonical } = await enter([input], { remoteAddress: canonical });
    expect(address).toBe(canonical);
    const others = {
      ranges: [family === 4 ? "::/0" : "0.0.0.0/0"],
      dangerouslyAllowAnyAddress: true,
    } as const;
    expect(await status(others, { remoteAddress: input })).toBe(403);
    expect(await status([canonical], { ...proxied, xForwardedFor: [input] })).toBe(200);
  });

  it.each(vectors.validWithZone)(
    "D09 strips the zone of the peer $input, and refuses it elsewhere",
    async ({ input }) => {
      const plain = input.slice(0, input.indexOf("%"));
      expect(await status([plain], { remoteAddress: input })).toBe(200);
      expect(await status(anyone, { ...proxied, xForwardedFor: [input] })).toBe(403);
      expect(() => createAllowlist([input])).toThrow(TypeError);
    },
  );

  it.each(vectors.invalid)("D10 does not take $input for an address", async ({ input }) => {
    expect(await status(anyone, { remoteAddress: input })).toBe(403);
    expect(() => createAllowlist([input])).toThrow(TypeError);
    if (sendable(input) && input !== "[::1]") {
      expect(await status(anyone, { ...proxied, xForwardedFor: [input] })).toBe(403);
    }
  });

  it.each(vectors.unmap4in6)("D06 D07 reads $input as IPv4 $ipv4", async ({ input, ipv4 }) => {
    const ipv4Only = { ranges: ["0.0.0.0/0"], dangerouslyAllowAnyAddress: true } as const;
    expect(await status(ipv4 === null ? ipv4Only : [ipv4], { remoteAddress: input })).toBe(
      ipv4 === null ? 403 : 200,
    );
    // In both directions: a range in mapped form is the IPv4 range.
    if (ipv4 !== null) expect(await status([input], { remoteAddress: ipv4 })).toBe(200);
    else expect(await status([input], { remoteAddress: input })).toBe(200);
  });

  it.each(vectors.cidrContains)("D11 $cidr holds what it should", async ({ cidr, contains, notContains }) => {
    const list = { ranges: [cidr], dangerouslyAllowAnyAddress: true } as const;
    for (const address of contains)
      expect([address, await status(list, { remoteAddress: address })]).toEqual([address, 200]);
    for (const address of notContains)
      expect([address, await status(list, { remoteAddress: address })]).toEqual([address, 403]);
  });

  it.each(vectors.mappedAndTransitionPolicy)(
    "D06 D07 D09 $addr in $cidr: $match",
    async ({ cidr, addr, match }) => {
      const list = { ranges: [cidr], dangerouslyAllowAnyAddress: true } as const;
      expect(await status(list, { remoteAddress: addr })).toBe(match ? 200 : 403);
    },
  );

  it.each(vectors.cidrHostBits)("D12 refuses $input and names $masked", ({ input, masked }) => {
    const start = (): unknown => enter([input], { remoteAddress: "192.0.2.1" });
    return expect(start()).rejects.toThrow(masked);
  });

  it.each(vectors.cidrInvalid)("D10 D13 refuses the range $input at construction", async ({ input }) => {
    await expect(enter([input as string], { remoteAddress: "192.0.2.1" })).rejects.toThrow(TypeError);
  });

  it.each(vectors.forwardedFor)(
    "D01 D03 D05 from $remoteAddress, $xForwardedFor: $client ($why)",
    async ({ remoteAddress, xForwardedFor, trusted, client }) => {
      const clientAddress = { trustedProxies: trusted };
      if (remoteAddress === null) {
        expect(await overUnixSocket(anyone, clientAddress, xForwardedFor)).toBe(403);
        return;
      }
      const from = { remoteAddress, xForwardedFor, clientAddress };
      const { status: answered, address } = await enter(client === null ? anyone : [client], from);
      expect(answered).toBe(client === null ? 403 : 200);
      if (client !== null && address !== undefined) expect(address).toBe(client);
    },
  );
});

/** The status that a receiver behind a Unix socket, whose peer has no address, answers with. */
async function overUnixSocket(
  allowIps: AllowIps,
  clientAddress: ClientAddressOptions,
  lines: readonly string[],
): Promise<number> {
  const { listener } = receiverFor(allowIps, clientAddress);
  const socketPath = join(tmpdir(), `hookgate-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  try {
    return await new Promise<number>((resolve, reject) => {
      const sent = request(
        {
          socketPath,
          method: "POST",
          agent: false,
          headers: { "x-forwarded-for": [...lines], "content-type": "application/json" },
        },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        },
      );
      sent.on("error", reject);
      sent.end("{}");
    });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(socketPath, { force: true });
  }
}

describe("a Unix socket's peer", () => {
  it("D05 is refused by an allowlist, and believed only where it is declared", async () => {
    const forwarded = ["192.0.2.1"];
    expect(await overUnixSocket(["192.0.2.1"], { trustedProxies: ["loopback"] }, forwarded)).toBe(403);
    expect(await overUnixSocket(["192.0.2.1"], { trustedProxies: 1 }, forwarded)).toBe(403);
    expect(await overUnixSocket(["192.0.2.1"], { trustedProxies: ["unix"] }, forwarded)).toBe(200);
    expect(await overUnixSocket(["192.0.2.2"], { trustedProxies: ["unix"] }, forwarded)).toBe(403);
  });
});
