import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver } from "hookgate";
import { github } from "hookgate/github";
import { shopify } from "hookgate/shopify";
import { slack } from "hookgate/slack";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { stripe } from "hookgate/stripe";
import { createFakeClock, sendDelivery } from "hookgate/testing";
import { twilio } from "hookgate/twilio";
import { createSignatureGate } from "../../src/signatures/signature.js";
import type { SignatureScheme } from "../../src/types/signature.js";
import type { Source } from "../../src/types/source.js";
import { quiet } from "../support/quiet.js";
import { requestOf, type SentHeaders, wordOf } from "../unit/signatures/signed-request.js";

interface Vector {
  readonly provider: string;
  readonly published: boolean;
  readonly secret: string;
  readonly url?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly now?: number;
  readonly body: string;
}
interface Vectors {
  readonly vectors: readonly Vector[];
  readonly mutationsThatMustBeRejectedUnlessSaid: readonly string[];
}

const { vectors, mutationsThatMustBeRejectedUnlessSaid: mutations } = JSON.parse(
  readFileSync(new URL("../vectors/provider-signatures.json", import.meta.url), "utf8"),
) as Vectors;

/** What the vectors need to know of a provider, to sign other bodies than theirs. */
interface Provider {
  /** Some published secrets are shorter than any that a source takes. */
  source(secret: string, insecureShortSecret: boolean): Source<never>;
  readonly header: string;
  /** What stands before the signature. */
  readonly prefix: RegExp;
  sign(secret: string, body: string, seconds: number): Readonly<Record<string, string>>;
  readonly timestamps: boolean;
}

const mac = (hash: string, secret: string | Buffer, text: string, encoding: "hex" | "base64"): string =>
  createHmac(hash, secret).update(text).digest(encoding);
const twilioUrl = "https://mycompany.com/myapp.php?foo=1&bar=2";

const providers: ReadonlyMap<string, Provider> = new Map<string, Provider>([
  [
    "github",
    {
      source: (secret, insecureShortSecret) => github({ secret, insecureShortSecret }) as Source<never>,
      header: "x-hub-signature-256",
      prefix: /^sha256=/,
      sign: (secret, body) => ({ "x-hub-signature-256": `sha256=${mac("sha256", secret, body, "hex")}` }),
      timestamps: false,
    },
  ],
  [
    "slack",
    {
      source: (secret, insecureShortSecret) => slack({ secret, insecureShortSecret }) as Source<never>,
      header: "x-slack-signature",
      prefix: /^v0=/,
      sign: (secret, body, seconds) => ({
        "x-slack-request-timestamp": String(seconds),
        "x-slack-signature": `v0=${mac("sha256", secret, `v0:${seconds}:${body}`, "hex")}`,
      }),
      timestamps: true,
    },
  ],
  [
    "twilio",
    {
      source: (secret, insecureShortSecret) =>
        twilio({ secret, publicUrl: "https://mycompany.com", insecureShortSecret }) as Source<never>,
      header: "x-twilio-signature",
      prefix: /^/,
      sign: (secret, body) => {
        const fields = [...new URLSearchParams(body)].sort(([one], [other]) => (one < other ? -1 : 1));
        const text = twilioUrl + fields.map(([name, value]) => name + value).join("");
        return {
          "content-type": "application/x-www-form-urlencoded",
          "x-twilio-signature": mac("sha1", secret, text, "base64"),
        };
      },
      timestamps: false,
    },
  ],
  [
    "standard-webhooks",
    {
      source: (secret, insecureShortSecret) =>
        standardWebhooks({ secret, insecureShortSecret }) as Source<never>,
      header: "webhook-signature",
      prefix: /^v1,/,
      sign: (secret, body, seconds) => ({
        "webhook-id": "msg_1",
        "webhook-timestamp": String(seconds),
        "webhook-signature": `v1,${mac("sha256", Buffer.from(secret.slice(6), "base64"), `msg_1.${seconds}.${body}`, "base64")}`,
      }),
      timestamps: true,
    },
  ],
  [
    "shopify",
    {
      source: (secret, insecureShortSecret) => shopify({ secret, insecureShortSecret }) as Source<never>,
      header: "x-shopify-hmac-sha256",
      prefix: /^/,
      sign: (secret, body) => ({ "x-shopify-hmac-sha256": mac("sha256", secret, body, "base64") }),
      timestamps: false,
    },
  ],
  [
    "stripe",
    {
      source: (secret, insecureShortSecret) => stripe({ secret, insecureShortSecret }) as Source<never>,
      header: "stripe-signature",
      prefix: /^t=\d+,v1=/,
      sign: (secret, body, seconds) => ({
        "stripe-signature": `t=${seconds},v1=${mac("sha256", secret, `${seconds}.${body}`, "hex")}`,
      }),
      timestamps: true,
    },
  ],
]);

function providerOf({ provider }: Vector): Provider {
  const found = providers.get(provider);
  if (found === undefined) throw new Error(`no provider for the vectors of ${provider}`);
  return found;
}

/** A vector as it was published, or another body signed as its provider would. */
function checkOf(vector: Vector) {
  const provider = providerOf(vector);
  const scheme = provider.source(vector.secret, true).signature as SignatureScheme;
  const gate = createSignatureGate(scheme, "source.signature");
  const nowSeconds = vector.now ?? 1_700_000_000;
  const url = vector.url === undefined ? "/" : vector.url.slice("https://mycompany.com".length);
  const check = async (sent: SentHeaders, body: string | Buffer = vector.body): Promise<string> =>
    wordOf((await gate(requestOf(sent, body, { url }), nowSeconds * 1000)) as never);
  const sign = (body: string, seconds = nowSeconds) => provider.sign(vector.secret, body, seconds);
  return { provider, check, sign, nowSeconds, url };
}

function sameForm(one: string, other: string): boolean {
  return String(new URLSearchParams(one)) === String(new URLSearchParams(other));
}

const refusals = /^(missing|malformed|mismatch|timestamp)$/;

describe.each(vectors.map((vector) => [vector.provider, vector] as const))("%s", (_, vector) => {
  const { provider, check, sign, nowSeconds, url } = checkOf(vector);
  const { header, prefix } = provider;
  const good = vector.headers[header] as string;
  const changed = (value: string): SentHeaders => ({ ...vector.headers, [header]: value });
  const before = prefix.exec(good)?.[0] as string;
  // Of Stripe's list, the first signature.
  const signature = good.slice(before.length).split(",")[0] as string;

  const cases = new Map<string, () => void | Promise<void>>([
    [
      "flip one bit of the body",
      async () => {
        const bytes = Buffer.from(vector.body);
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = Buffer.from(bytes);
          flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
          // Twilio signs the fields of a form, so `%2b` for `%2B` changes nothing that is signed.
          if (vector.provider === "twilio" && sameForm(flipped.toString(), vector.body)) continue;
          expect(await check(vector.headers, flipped)).toMatch(refusals);
        }
      },
    ],
    [
      "strip the trailing CRLF",
      async () => {
        const body = `${vector.body}\r\n`;
        expect(await check(sign(body), body)).toBe("secret-1");
        for (const stripped of [vector.body, `${vector.body}\n`, `${vector.body}\r`, `${body}\r\n`]) {
          expect(await check(sign(body), stripped)).toMatch(refusals);
        }
      },
    ],
    [
      "drop the signature header",
      async () => {
        const { [header]: dropped, ...rest } = vector.headers;
        expect(dropped).toBe(good);
        expect(await check(rest)).toBe("missing");
        expect(await check(changed(""))).toBe("missing");
      },
    ],
    [
      "signature header twice",
      async () => {
        const { [header]: _dropped, ...rest } = vector.headers;
        expect(await check({ ...rest, [header]: [good, good] })).toBe("malformed");
        expect(await check({ ...rest, [header]: [good, "x"] })).toBe("malformed");
        expect(await check({ ...rest, [header]: ["x", good] })).toBe("malformed");
      },
    ],
    [
      "signature truncated to 1, 8, n-1 chars (CVE-2024-21491)",
      async () => {
        for (const length of [0, 1, 8, signature.length - 1]) {
          expect(await check(changed(before + signature.slice(0, length)))).toMatch(refusals);
        }
      },
    ],
    [
      "upper-case hex (accept only if the provider allows it)",
      async () => {
        expect(await check(changed(before + signature.toUpperCase()))).toMatch(refusals);
        expect(await check(changed(good.toUpperCase()))).toMatch(refusals);
      },
    ],
    [
      "whitespace inside",
      async () => {
        for (const space of [" ", "\t", "\u00a0"]) {
          for (const at of [0, before.length, before.length + 8, before.length + signature.length - 1]) {
            expect(await check(changed(good.slice(0, at) + space + good.slice(at)))).toMatch(refusals);
          }
        }
      },
    ],
    [
      "wrong algorithm prefix (sha1=)",
      async () => {
        const others = ["sha1=", "sha256=", "v0=", "v1=", "v2,", "v1a,", "V1,", ""];
        for (const other of others.filter(
          (each) => !before.endsWith(each) || (each === "" && before !== ""),
        )) {
          expect(await check(changed(before.replace(/[a-z]\w*[=,]$/, "") + other + signature))).toMatch(
            refusals,
          );
        }
      },
    ],
    [
      "timestamp tolerance exactly +-300 accept, +-301 reject",
      async () => {
        for (const offset of [-300, 300, -301, 301]) {
          const signed = sign(vector.body, nowSeconds + offset);
          const expected = provider.timestamps && Math.abs(offset) > 300 ? "timestamp" : "secret-1";
          expect(await check(signed)).toBe(expected);
        }
      },
    ],
    [
      "empty secret, 'whsec_' alone, secret under 24 bytes: refuse at construction",
      () => {
        const short =
          vector.provider === "standard-webhooks" ? "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==" : "x".repeat(23);
        for (const secret of ["", "whsec_", short, undefined as never]) {
          expect(() => provider.source(secret, false)).toThrow(TypeError);
        }
        expect(() => provider.source("", true)).toThrow(TypeError);
      },
    ],
    [
      "body already parsed by an earlier middleware: refuse, 500 config error",
      async () => {
        const receiver = createReceiver({
          name: "vectors",
          source: provider.source(vector.secret, true),
          clock: createFakeClock(new Date(nowSeconds * 1000)),
          logger: quiet,
        });
        const app = express()
          .use(express.text({ type: "*/*" }))
          .use(receiver.middleware());
        const { "content-type": contentType = "application/json", ...headers } = vector.headers;
        const { status } = await sendDelivery(app, { path: url, body: vector.body, contentType, headers });
        expect(status).toBe(500);
      },
    ],
  ]);

  it("verifies as published", async () => {
    expect(await check(vector.headers)).toBe("secret-1");
    expect(await check(sign(vector.body))).toBe("secret-1");
  });

  it.each([...cases])("F01 F02 F03 F07 E24 refuses: %s", async (_, refuse) => {
    await refuse();
  });

  it("refuses every mutation that the vectors name", () => {
    expect([...cases.keys()].sort()).toEqual([...mutations].sort());
  });

  it("refuses the vectors' signature with another secret", async () => {
    const other = { ...vector, secret: `${vector.secret.slice(0, -1)}Q` };
    expect(other.secret).not.toBe(vector.secret);
    expect(await checkOf(other).check(vector.headers)).toBe("mismatch");
  });
});

it("tries every provider that a source signs for", () => {
  expect(new Set(vectors.map(({ provider }) => provider))).toEqual(new Set(providers.keys()));
});
