import { createPrivateKey, createSecretKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import {
  componentsFor,
  type MessageSigning,
  signMessage,
} from "../../../../src/signatures/http-message/sign.js";
import { createMessageCheck } from "../../../../src/signatures/http-message/verify.js";
import type { MessageScheme } from "../../../../src/types/signature.js";

const vectors = JSON.parse(readFileSync(new URL("../../../vectors/rfc9421.json", import.meta.url), "utf8"));
const example = vectors.messages.find(({ section }: { section: string }) => section === "B.2.6").request;
const headers: Record<string, string> = Object.fromEntries(
  example.headers.filter(([name]: [string]) => !name.startsWith("Signature")),
);
const message = {
  method: "POST",
  url: "https://example.com/foo?param=Value&Pet=dog",
  headers,
  body: example.body,
};
const ed25519 = createPrivateKey({ key: vectors.signingKey.jwk, format: "jwk" });
const { secretBase64 } = vectors.keys.find(({ id }: { id: string }) => id === "test-shared-secret");
const signing: MessageSigning = {
  keyId: "test-key-ed25519",
  algorithm: "ed25519",
  key: ed25519,
  components: ["date", "@method", "@path", "@authority", "content-type", "content-length"],
  created: 1_618_884_473,
  label: "sig-b26",
};
const sentBy = (section: string) =>
  vectors.messages
    .find((each: { section: string }) => each.section === section)
    .request.headers.slice(-2)
    .map(([, value]: [string, string]) => value);

describe("signMessage", () => {
  it("signs the examples of RFC 9421 that are made in one way alone as the RFC does (B.2.5, B.2.6)", () => {
    const found = signMessage(message, signing);
    expect([found["signature-input"], found.signature]).toEqual(sentBy("B.2.6"));
    const hmac = signMessage(message, {
      ...signing,
      keyId: "test-shared-secret",
      algorithm: "hmac-sha256",
      key: createSecretKey(Buffer.from(secretBase64, "base64")),
      components: ["date", "@authority", "content-type"],
      label: "sig-b25",
    });
    expect([hmac["signature-input"], hmac.signature]).toEqual(sentBy("B.2.5"));
  });

  it("makes the digest that is covered and missing, and leaves one that is there", () => {
    const { "Content-Digest": given, ...others } = headers;
    const covered = { ...signing, components: ["content-digest"] };
    expect(
      signMessage({ ...message, headers: others }, { ...covered, digest: "sha-512" })["content-digest"],
    ).toBe(given);
    expect(signMessage({ ...message, headers: others }, covered)["content-digest"]).toBe(
      "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    );
    expect(signMessage(message, covered)).not.toHaveProperty("content-digest");
    expect(signMessage({ ...message, headers: others }, signing)).not.toHaveProperty("content-digest");
  });

  it("writes the parameters that are given, in one order", () => {
    const all = {
      ...signing,
      components: [],
      expires: 2,
      nonce: 'a"b',
      tag: "t",
      alg: true,
      label: undefined,
    };
    expect(signMessage(message, all)["signature-input"]).toBe(
      'sig1=();created=1618884473;expires=2;keyid="test-key-ed25519";nonce="a\\"b";alg="ed25519";tag="t"',
    );
    expect(signMessage(message, { ...all, created: undefined })["signature-input"]).toMatch(
      /^sig1=\(\);expires=2/,
    );
  });

  it.each([["@status"], ["x-absent"], ['"a" "b"'], ['"date";sf']])(
    "says that %s cannot be covered",
    (component) => {
      expect(() => signMessage(message, { ...signing, components: [component] })).toThrow(
        /^the message cannot be signed: /,
      );
    },
  );
});

describe("componentsFor", () => {
  const scheme: MessageScheme = {
    kind: "http-message",
    createCheck: createMessageCheck,
    keys: [],
    required: ["@method"],
    tolerance: "5m",
  };
  it("adds the digest where there is a body that must be signed, once", () => {
    expect(componentsFor(scheme, true)).toEqual(["@method", "content-digest"]);
    expect(componentsFor(scheme, false)).toEqual(["@method"]);
    expect(componentsFor({ ...scheme, insecureUnsignedBody: true }, true)).toEqual(["@method"]);
    expect(componentsFor({ ...scheme, required: ["content-digest"] }, true)).toEqual(["content-digest"]);
  });
});
