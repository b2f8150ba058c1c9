// A token never seen before: our check beside jose's own and beside node:crypto's HMAC alone, in one process.
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { VerifiedTokenCache } from "../../dist/auth/jwt/cache.js";
import { parseJwtOptions } from "../../dist/auth/jwt/options.js";
import { verifyToken } from "../../dist/auth/jwt/verify.js";
import { compactVerify, jwtVerify } from "../../node_modules/jose/dist/webapi/index.js";
import { settings, token } from "./settings.js";

const { issuer, audience, secret } = settings;
const credential = parseJwtOptions({ issuer, audience, secret }, "jwt", {
  owner: { tenant: "t", service: "s", allowIps: [] },
  defaultId: "jwt-1",
  clock: { now: Date.now, after: () => () => {} },
});
const source = { findKey: () => undefined, findTokenCredentials: () => [credential] };
const memory = new VerifiedTokenCache(source);
const tokens = Array.from({ length: 4_000 }, (_, n) => token({ jti: String(n) }));
const cryptoKey = await crypto.subtle.importKey(
  "raw",
  Buffer.from(secret),
  { name: "HMAC", hash: "SHA-256" },
  false,
  ["verify"],
);
const keyObject = createSecretKey(Buffer.from(secret));

const ways = {
  "node:crypto HMAC alone": (text) => {
    const dot = text.lastIndexOf(".");
    const mac = createHmac("sha256", keyObject).update(text.slice(0, dot)).digest();
    return timingSafeEqual(mac, Buffer.from(text.slice(dot + 1), "base64url"));
  },
  "jose compactVerify": (text) => compactVerify(text, cryptoKey, { algorithms: ["HS256"] }),
  "jose jwtVerify": (text) => jwtVerify(text, cryptoKey, { algorithms: ["HS256"], issuer, audience }),
  "ours, not seen before": (text) => verifyToken(text, source, Date.now()),
  "ours, seen before": () => memory.verify(tokens[0], Date.now()),
};

const results = new Map(Object.keys(ways).map((name) => [name, []]));
for (let round = 0; round < 9; round++) {
  for (const [name, verify] of Object.entries(ways)) {
    const before = process.cpuUsage();
    for (const text of tokens) await verify(text);
    const { user, system } = process.cpuUsage(before);
    if (round > 1) results.get(name).push((user + system) / tokens.length);
  }
}
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const base = median(results.get("node:crypto HMAC alone"));
console.log("| check of one HS256 token | CPU µs | ratio |\n|---|--:|--:|");
for (const [name, values] of results) {
  console.log(`| ${name} | ${median(values).toFixed(1)} | ${(median(values) / base).toFixed(1)} |`);
}
