// `node test/bench/signature.js` after a build: the check of a signature alone, ours beside node:crypto by hand, in one
// process. CPU per check, interleaved rounds, medians.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createSignatureGate } from "../../dist/signatures/signature.js";
import { github } from "../../dist/sources/github.js";
import { stripe } from "../../dist/sources/stripe.js";
import { orderEvent } from "./payloads.js";
import { settings } from "./settings.js";

const { secret } = settings;
const perRound = 4_000;
const rounds = 31;
const nowMs = Date.now();
const timestamp = String(Math.floor(nowMs / 1000));

function byHand(body, given) {
  const expected = Buffer.from(`sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
  const sent = Buffer.from(given);
  return sent.length === expected.length && timingSafeEqual(sent, expected);
}

function stripeByHand(body, header) {
  const parts = new Map(header.split(",").map((part) => part.split("=")));
  if (Math.abs(nowMs / 1000 - Number(parts.get("t"))) > 300) return false;
  const mac = createHmac("sha256", secret)
    .update(`${parts.get("t")}.`)
    .update(body)
    .digest("hex");
  return timingSafeEqual(Buffer.from(parts.get("v1")), Buffer.from(mac));
}

function ways(bytes) {
  const rawBody = Buffer.from(orderEvent(bytes));
  const mac = (...parts) => {
    const hmac = createHmac("sha256", secret);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  };
  const request = (name, value) => ({
    method: "POST",
    url: "/hooks",
    headers: { "content-length": String(rawBody.length), [name]: value },
    rawHeaders: ["Host", "bench.test", "User-Agent", "bench/1", "Accept", "*/*", "Content-Type"].concat(
      ["application/json", "Content-Length", String(rawBody.length), "X-GitHub-Event", "push"],
      [name, value],
    ),
    rawBody,
  });
  const hub = `sha256=${mac(rawBody)}`;
  const signed = `t=${timestamp},v1=${mac(`${timestamp}.`, rawBody)}`;
  const hubGate = createSignatureGate(github({ secret }).signature, "bench");
  const stripeGate = createSignatureGate(stripe({ secret }).signature, "bench");
  const [hubRequest, stripeRequest] = [
    request("X-Hub-Signature-256", hub),
    request("Stripe-Signature", signed),
  ];
  return [
    ["GitHub by hand", () => byHand(rawBody, hub)],
    ["GitHub, ours", () => "keyId" in hubGate(hubRequest, nowMs)],
    ["Stripe by hand", () => stripeByHand(rawBody, signed)],
    ["Stripe, ours", () => "keyId" in stripeGate(stripeRequest, nowMs)],
  ].map(([label, check]) => ({ label, check, micros: [] }));
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

console.log("| check of one signature | body | CPU µs | ratio to by hand |\n|---|--:|--:|--:|");
for (const bytes of [2_000, 20_000, 200_000]) {
  const all = ways(bytes);
  const count = bytes > 100_000 ? perRound / 10 : perRound;
  for (let round = 0; round < rounds; round++) {
    for (const { label, check, micros } of round % 2 === 0 ? all : all.toReversed()) {
      const before = process.cpuUsage();
      for (let n = 0; n < count; n++) if (!check()) throw new Error(`${label} refused`);
      const { user, system } = process.cpuUsage(before);
      if (round > 1) micros.push((user + system) / count);
    }
  }
  for (const [at, { label, micros }] of all.entries()) {
    const base = all[at - (at % 2)].micros;
    const ratio = median(micros.map((value, round) => value / base[round]));
    console.log(`| ${label} | ${bytes / 1000} KB | ${median(micros).toFixed(2)} | ${ratio.toFixed(2)} |`);
  }
}
