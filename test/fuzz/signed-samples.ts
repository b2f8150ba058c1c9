import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { github } from "hookgate/github";
import { shopify } from "hookgate/shopify";
import { slack } from "hookgate/slack";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { stripe } from "hookgate/stripe";
import { twilio } from "hookgate/twilio";
import { createSignatureGate, type SignatureGate } from "../../src/signatures/signature.js";
import type { HeaderScheme, SignatureScheme } from "../../src/types/signature.js";
import { secretKey } from "../unit/signatures/signed-request.js";

/** A delivery as it goes over the wire. */
export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** When it arrives. */
  readonly nowMs: number;
}

/** A valid delivery, and the gate that takes it. */
export interface Sample {
  readonly name: string;
  readonly scheme: HeaderScheme;
  readonly gate: SignatureGate;
  readonly valid: Sent;
  /** Signed headers beside those of the scheme. */
  readonly signedHeaders: readonly string[];
  /** What of the body is signed, where it is not its bytes. */
  readonly bodyMeaning: (body: Buffer) => string;
}

export const nowMs = 1_700_000_000_000;
const secret = "fuzz-0123456789abcdef0123456789abcdef";
const standardSecret = Buffer.from(secret).toString("base64");
const publicUrl = "https://hooks.example.com";

const bodies: readonly string[] = [
  "",
  "0",
  "{}\r\n",
  '{"id":820982911946154508,"type":"a.b","list":[1,2.50,"é\\u00e9"],"nested":{"a":null}}',
  "Body=1%2B1&From=%2B15550100&To=&a=1&a=2",
  `1.${nowMs / 1000}.{"type":"nested"}`,
  "\u0000\u00ff\ufeff binary",
  JSON.stringify({ text: "x".repeat(300) }),
];

interface Kind {
  readonly name: string;
  readonly scheme: SignatureScheme | undefined;
  sign(body: Buffer, position: number): readonly (readonly [string, string])[];
  readonly signedHeaders?: readonly string[];
  readonly bodyMeaning?: (body: Buffer) => string;
}

const seconds = String(nowMs / 1000);
const path = "/in/hooks?tenant=1&x=%20";
type Encoding = "hex" | "base64" | "base64url";
const mac = (hash: string, encoding: Encoding, ...pieces: readonly (string | Buffer)[]): string => {
  const made = createHmac(hash, secret);
  for (const piece of pieces) made.update(piece);
  return made.digest(encoding);
};

/**
 * Twilio signs each value of a name once, and joins names and values without anything between them: a value that is
 * repeated, and `ab=c` for `a=bc`, are signed alike, in its own library as well.
 */
const twilioMeaning = (body: Buffer): string => {
  const pairs = [...new URLSearchParams(body.toString())].map(([name, value]) =>
    JSON.stringify([name, value]),
  );
  return [...new Set(pairs)]
    .map((pair): [string, string] => JSON.parse(pair))
    .sort(([one, first], [other, second]) =>
      one === other ? (first < second ? -1 : 1) : one < other ? -1 : 1,
    )
    .map((pair) => pair.join(""))
    .join("");
};

const sources: readonly Kind[] = [
  {
    name: "github",
    scheme: github({ secret }).signature,
    sign: (body) => [["X-Hub-Signature-256", `sha256=${mac("sha256", "hex", body)}`]],
  },
  {
    name: "shopify",
    scheme: shopify({ secret }).signature,
    sign: (body) => [["X-Shopify-Hmac-SHA256", mac("sha256", "base64", body)]],
  },
  {
    name: "slack",
    scheme: slack({ secret }).signature,
    sign: (body) => [
      ["X-Slack-Request-Timestamp", seconds],
      ["X-Slack-Signature", `v0=${mac("sha256", "hex", `v0:${seconds}:`, body)}`],
    ],
  },
  {
    name: "stripe",
    scheme: stripe({ secret }).signature,
    sign: (body) => {
      const v1 = mac("sha256", "hex", `${seconds}.`, body);
      return [["Stripe-Signature", `t=${seconds},v1=${"0".repeat(64)},v1=${v1},v0=${v1}`]];
    },
  },
  {
    name: "standard-webhooks, v1",
    scheme: standardWebhooks({ secret: standardSecret }).signature,
    sign: (body, position) => {
      const id = `msg_${position}`;
      return [
        ["webhook-id", id],
        ["webhook-timestamp", seconds],
        ["webhook-signature", `v1,${mac("sha256", "base64", `${id}.${seconds}.`, body)}`],
      ];
    },
  },
  {
    name: "twilio",
    scheme: twilio({ secret, publicUrl }).signature,
    sign: (body) => [
      ["content-type", "application/x-www-form-urlencoded"],
      ["X-Twilio-Signature", mac("sha1", "base64", `${publicUrl}${path}${twilioMeaning(body)}`)],
    ],
    bodyMeaning: twilioMeaning,
  },
];

const header = (more: Partial<HeaderScheme>): HeaderScheme => ({
  kind: "header",
  headers: [{ signature: "x-sig" }],
  variants: [{ label: "", algorithm: "hmac-sha256", keys: [secretKey(secret)] }],
  encoding: "hex",
  signed: "{body}",
  ...more,
});

const otherHashes: readonly Kind[] = [
  {
    name: "SHA-512 in base64url over method, URL and a header",
    scheme: header({
      variants: [{ label: "hs512 ", algorithm: "hmac-sha512", keys: [secretKey(secret)] }],
      encoding: "base64url",
      signed: "{method} {url} {header:x-shop}\n{body}",
      publicUrl,
    }),
    sign: (body) => [
      ["X-Shop", "a.example"],
      ["X-Sig", `hs512 ${mac("sha512", "base64url", `POST ${publicUrl}${path} a.example\n`, body)}`],
    ],
    signedHeaders: ["x-shop"],
  },
  {
    name: "SHA-384 in upper-case hex, milliseconds",
    scheme: header({
      headers: [{ signature: "x-sig", timestamp: "x-time" }],
      variants: [{ label: "", algorithm: "hmac-sha384", keys: [secretKey(secret)] }],
      hexCase: "upper",
      signed: "{timestamp}\n{body}",
      timestampUnit: "milliseconds",
      tolerance: "1m",
    }),
    sign: (body) => [
      ["X-Time", String(nowMs)],
      ["X-Sig", mac("sha384", "hex", `${nowMs}\n`, body).toUpperCase()],
    ],
  },
];

function byPublicKey(
  name: string,
  algorithm: "ed25519" | "ecdsa-p256-sha256" | "rsa-sha256",
  { publicKey, privateKey }: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  dsaEncoding: "der" | "ieee-p1363" = "der",
): Kind {
  return {
    name,
    scheme: header({
      headers: [{ signature: "x-sig", timestamp: "x-time", id: "x-id" }],
      parts: { separator: " ", assign: "," },
      variants: [{ label: "v1a", algorithm, keys: [{ ...secretKey(secret), key: publicKey }] }],
      encoding: "base64",
      dsaEncoding,
      signed: "{id}.{timestamp}.{body}",
      tolerance: "5m",
    }),
    sign: (body, position) => {
      const content = Buffer.concat([Buffer.from(`i${position}.${seconds}.`), body]);
      const hash = algorithm === "ed25519" ? null : "sha256";
      const signature = sign(hash, content, { key: privateKey, dsaEncoding }).toString("base64");
      return [
        ["X-Id", `i${position}`],
        ["X-Time", seconds],
        ["X-Sig", `v1a,${signature}`],
      ];
    },
  };
}

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicKeys: readonly Kind[] = [
  byPublicKey("Ed25519", "ed25519", generateKeyPairSync("ed25519")),
  byPublicKey("ECDSA in DER", "ecdsa-p256-sha256", ec),
  byPublicKey("ECDSA in IEEE P1363", "ecdsa-p256-sha256", ec, "ieee-p1363"),
  byPublicKey("RSA", "rsa-sha256", generateKeyPairSync("rsa", { modulusLength: 2048 })),
];

/** Valid deliveries of every scheme with a header of its own. */
export const samples: readonly Sample[] = [...sources, ...otherHashes, ...publicKeys].flatMap((kind) => {
  if (kind.scheme?.kind !== "header") throw new Error(`${kind.name} does not sign in a header`);
  const { name, scheme, signedHeaders = [], bodyMeaning = (body) => body.toString("latin1") } = kind;
  const gate = createSignatureGate(scheme, name);
  return bodies.map((text, position): Sample => {
    const body = Buffer.from(text);
    const headers = [["Host", "hooks.example.com"] as const, ...kind.sign(body, position)];
    const valid = { method: "POST", url: path, headers, body, nowMs };
    return { name, scheme, gate, valid, signedHeaders, bodyMeaning };
  });
});
