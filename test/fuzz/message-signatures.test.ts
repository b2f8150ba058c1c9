import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { httpMessageSignatures } from "hookgate/http-signature";
import { signMessage } from "../../src/signatures/http-message/sign.js";
import { parseDictionary, strictSerialization } from "../../src/signatures/http-message/structured-fields.js";
import { createSignatureGate } from "../../src/signatures/signature.js";
import { requestOf, secretKey, wordOf } from "../unit/signatures/signed-request.js";
import { mutated } from "./mutate.js";
import { check } from "./settings.js";

const secret = "fuzz-0123456789abcdef0123456789abcdef";
const publicUrl = "https://hooks.example.com";
const nowMs = 1_700_000_000_000;
const { signature } = httpMessageSignatures({
  keys: [{ id: "fuzz", algorithm: "hmac-sha256", secret }],
  publicUrl,
});
const gate = createSignatureGate(signature as never, "source.signature");
const url = "/hooks?a=1&b=%20";
const body = '{"type":"a","list":[1,2,3]}';
const own = { "content-type": "application/json", "x-list": "a, b", date: "Tue, 20 Apr 2021 02:07:55 GMT" };
const signing = {
  keyId: "fuzz",
  algorithm: "hmac-sha256",
  key: secretKey(secret).key,
  created: nowMs / 1_000,
  expires: nowMs / 1_000 + 60,
  nonce: "n",
  components: [
    "@method",
    "@authority",
    "@path",
    "@query",
    "content-digest",
    "content-type",
    "date",
    '"x-list";bs',
    '"@query-param";name="a"',
  ],
} as const;
const sent: Readonly<Record<string, string>> = {
  ...own,
  ...signMessage({ method: "POST", url: `${publicUrl}${url}`, headers: own, body }, signing),
};

/** What a field says, however it is written: without what structured fields let senders choose. */
function meaning(name: string, value: string): string {
  const text = value.replace(/[ \t]*\r?\n[ \t]+/g, " ").replace(/^[ \t]+|[ \t]+$/g, "");
  if (name === "signature") return text.replace(/(:);.*$/, "$1");
  if (name !== "signature-input") return text;
  return text
    .replace(/ +/g, " ")
    .replace(/([;(]) /g, "$1")
    .replace(/ \)/g, ")")
    .replace(/=0+(\d)/g, "=$1");
}

const find = (changed: {
  headers?: Record<string, string>;
  url?: string;
  body?: string;
  method?: string;
}) => {
  const { headers = sent, body: text = body, ...more } = changed;
  return wordOf(gate(requestOf(headers, text, { url, ...more }), nowMs) as never);
};

describe("HTTP message signatures, fuzzed", () => {
  it("takes the delivery as it is", () => {
    expect(find({})).toBe("fuzz");
  });

  it.each(Object.keys(sent))("takes no other %s than one that says the same", (name) => {
    const value = sent[name] as string;
    check(
      3_000,
      fc.property(mutated(fc.constant(value)), (text) => {
        const found = find({ headers: { ...sent, [name]: text } });
        if (meaning(name, text) === meaning(name, value)) return true;
        return ["malformed", "mismatch", "timestamp", "missing"].includes(found);
      }),
    );
  });

  it("takes no other body, URL or method", () => {
    check(
      3_000,
      fc.property(mutated(fc.constant(body)), (text) => text === body || find({ body: text }) !== "fuzz"),
    );
    check(
      3_000,
      fc.property(
        mutated(fc.constant(url)),
        (text) => text === url || !text.startsWith("/") || find({ url: text }) !== "fuzz",
      ),
    );
    check(
      500,
      fc.property(
        mutated(fc.constant("POST")),
        (text) => text === "POST" || find({ method: text }) !== "fuzz",
      ),
    );
  });

  it("writes structured fields in one way, whatever way they came in", () => {
    const field = fc.constantFrom(
      'a=1, b=2;x=1;y=2.50, c=(a "b\\"\\\\" :YQ==: ?0);d, e',
      sent["signature-input"] as string,
      sent["content-digest"] as string,
    );
    check(
      5_000,
      fc.property(mutated(field), (text) => {
        const written = strictSerialization(text, "dictionary");
        if (typeof written !== "string") return !(parseDictionary(text) instanceof Map);
        return strictSerialization(written, "dictionary") === written;
      }),
    );
  });
});
