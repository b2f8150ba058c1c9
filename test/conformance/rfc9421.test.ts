import { Buffer } from "node:buffer";
import { createPublicKey, createSecretKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { createValues, fieldsOf, parseComponent } from "../../src/signatures/http-message/components.js";
import { parseDictionary, serializeMember } from "../../src/signatures/http-message/structured-fields.js";
import { createMessageCheck, signatureBase } from "../../src/signatures/http-message/verify.js";
import { createSignatureGate, type UnsignedRequest } from "../../src/signatures/signature.js";
import type { MessageAlgorithm, MessageKey, MessageScheme } from "../../src/types/signature.js";

interface VectorRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

interface Vectors {
  readonly keys: readonly {
    readonly id: string;
    readonly algorithm: MessageAlgorithm;
    readonly publicKey?: string;
    readonly secretBase64?: string;
  }[];
  readonly messages: readonly {
    readonly name: string;
    readonly section: string;
    readonly origin: string;
    readonly keyId: string;
    readonly holds: boolean;
    readonly signatureBase?: string;
    readonly request: VectorRequest;
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/rfc9421.json", import.meta.url), "utf8"),
) as Vectors;

const keys: readonly MessageKey[] = vectors.keys.map(({ id, algorithm, publicKey, secretBase64 }) => ({
  id,
  algorithm,
  active: true,
  notBeforeMs: Number.NEGATIVE_INFINITY,
  expiresAtMs: Number.POSITIVE_INFINITY,
  key:
    publicKey === undefined
      ? createSecretKey(Buffer.from(secretBase64 ?? "", "base64"))
      : createPublicKey(publicKey),
}));

/** Most examples cover neither the body nor the method: what the RFC shows is the signature, not a policy. */
const lenient: MessageScheme = {
  kind: "http-message",
  createCheck: createMessageCheck,
  keys,
  required: [],
  insecureUnsignedBody: true,
  tolerance: "1m",
};
const strict: MessageScheme = {
  ...lenient,
  insecureUnsignedBody: false,
  required: ["@method", "@authority", "@path"],
};

/** The examples were all signed within these seconds. */
const exampleMs = 1_618_884_475_000;

function toRequest({ method, url, headers, body }: VectorRequest): UnsignedRequest {
  return {
    method,
    url,
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    rawHeaders: headers.flat(),
    rawBody: Buffer.from(body),
  };
}

function check(
  scheme: MessageScheme,
  publicUrl: string | undefined,
  request: VectorRequest,
  nowMs = exampleMs,
) {
  return createSignatureGate({ ...scheme, publicUrl }, "scheme")(toRequest(request), nowMs);
}

function accepts(scheme: MessageScheme, origin: string, request: VectorRequest, nowMs = exampleMs): boolean {
  return "keyId" in check(scheme, origin, request, nowMs);
}

/** A header changed in its only line, or in the first of several. */
function withHeader(request: VectorRequest, name: string, change: (value: string) => string): VectorRequest {
  const at = request.headers.findIndex(([known]) => known.toLowerCase() === name);
  const headers = request.headers.map(([known, value], place) =>
    place === at ? ([known, change(value)] as const) : ([known, value] as const),
  );
  return { ...request, headers };
}

function headerOf(request: VectorRequest, name: string): string {
  return request.headers.find(([known]) => known.toLowerCase() === name)?.[1] ?? "";
}

/** The label, covered components and parameters of the signature that holds. */
function inputOf({ request, keyId }: Vectors["messages"][number]) {
  const inputs = parseDictionary(headerOf(request, "signature-input"));
  if ("malformed" in inputs) throw new Error("the vector is broken");
  for (const [label, input] of inputs) {
    if ("items" in input && input.parameters.get("keyid")?.value === keyId) return { label, input };
  }
  throw new Error("the vector has no such signature");
}

const holding = vectors.messages.filter(({ holds }) => holds);

describe("RFC 9421: the signatures of its examples", () => {
  it.each(vectors.messages)("$section $name", ({ origin, holds, keyId, request }) => {
    const found = check(lenient, origin, request);
    if (holds) expect(found).toEqual({ keyId });
    else expect(found).toMatchObject({ code: "ERR_SIGNATURE_INVALID", fault: "mismatch" });
  });

  it.each(holding.filter(({ signatureBase: base }) => base !== undefined))(
    "$section $name: the signature base is the one that is printed",
    (message) => {
      const { input } = inputOf(message);
      const request = { ...toRequest(message.request), publicUrl: `${message.origin}${message.request.url}` };
      const components = input.items.map((item) => {
        const component = parseComponent(serializeMember(item));
        if ("unusable" in component) throw new Error(component.unusable);
        return component;
      });
      expect(signatureBase(components, input, createValues(request, fieldsOf(request.rawHeaders)))).toBe(
        message.signatureBase,
      );
    },
  );
});

describe("RFC 9421: what is asked of a signature by default", () => {
  it("refuses the minimal example, which covers nothing of the message (ATTACKS F09)", () => {
    const minimal = holding.find(({ section }) => section === "B.2.1");
    expect(check(strict, minimal?.origin, minimal?.request as VectorRequest)).toMatchObject({
      fault: "malformed",
      reason: expect.stringContaining('"@method", "@authority", "@path", "content-digest"'),
    });
  });

  it("takes those examples alone that cover method, authority, path and body", () => {
    const taken = holding.filter(({ origin, request }) => accepts(strict, origin, request));
    expect(taken.map(({ section }) => section)).toEqual([
      "2.4",
      "3.2",
      "4.3",
      "4.3",
      "B.2.3",
      "B.4",
      "B.4",
      "B.4",
      "B.4",
    ]);
  });

  it("refuses a signature over what only publicUrl can tell, and names that option (ATTACKS E26)", () => {
    const hmac = holding.find(({ section }) => section === "B.2.5");
    expect(check(lenient, undefined, hmac?.request as VectorRequest)).toMatchObject({
      reason: expect.stringMatching(/@authority.*publicUrl/),
    });
  });
});

describe.each(holding)("RFC 9421 $section $name: no change passes", (message) => {
  const { origin, request } = message;
  const { label, input } = inputOf(message);
  const refused = (changed: VectorRequest, nowMs?: number): void => {
    expect(changed).not.toEqual(request);
    expect(accepts(lenient, origin, changed, nowMs)).toBe(false);
  };
  const names = input.items.map(({ bare }) => String(bare.value));

  it("of a covered component", () => {
    expect(accepts(lenient, origin, request)).toBe(true);
    for (const name of names) {
      if (name === "@method") refused({ ...request, method: "PUT" });
      else if (name === "@path") refused({ ...request, url: request.url.replace("/", "/x") });
      else if (name === "@query") refused({ ...request, url: `${request.url}&x` });
      else if (name === "@query-param") refused({ ...request, url: request.url.replace("dog", "cat") });
      else if (name === "@authority") expect(accepts(lenient, `${origin}:8443`, request)).toBe(false);
      else {
        expect(name).toMatch(/^[a-z-]+$/);
        refused(withHeader(request, name, (value) => `${value}x`));
        refused({ ...request, headers: request.headers.filter(([known]) => known.toLowerCase() !== name) });
        refused({ ...request, headers: [...request.headers, [name, "x"]] });
      }
    }
  });

  it("of the body, where a digest of it is covered", () => {
    const changed = { ...request, body: request.body.replace("world", "w0rld") };
    if (names.includes("content-digest")) refused(changed);
    else expect(accepts(strict, origin, request)).toBe(request.body === "");
  });

  it("of the list of components, its parameters or their order", () => {
    const change = (edit: (text: string) => string): VectorRequest =>
      withHeader(request, "signature-input", (value) => {
        const start = value.indexOf(`${label}=`);
        return value.slice(0, start) + edit(value.slice(start));
      });
    refused(change((text) => text.replace("(", `("host"${names.length > 0 ? " " : ""}`)));
    refused(
      change((text) => text.replace(/;created=(\d+)/, (_, seconds) => `;created=${Number(seconds) + 1}`)),
    );
    refused(change((text) => text.replace(/;created=\d+/, "")));
    refused(change((text) => text.replace(/;keyid="[^"]*"/, "")));
    refused(change((text) => `${text};expires=1618884999`));
    for (const { id } of keys) {
      if (id !== message.keyId) refused(change((text) => text.replace(/;keyid="[^"]*"/, `;keyid="${id}"`)));
    }
    for (const name of names) {
      refused(
        change((text) =>
          text.replace(new RegExp(`\\(?"${name}"(;name="Pet")? ?`), (found) => (found[0] === "(" ? "(" : "")),
        ),
      );
    }
    if (names.length > 1) refused(change((text) => text.replace(/\("([^"]+)"( "[^)]*)\)/, '($2 "$1")')));
  });

  it("of the signature", () => {
    const change = (edit: (bytes: Buffer) => Buffer): VectorRequest =>
      withHeader(request, "signature", (value) =>
        value.replace(new RegExp(`${label}=:([^:]*):`), (_, text: string) => {
          return `${label}=:${edit(Buffer.from(text, "base64")).toString("base64")}:`;
        }),
      );
    refused(change((bytes) => bytes.subarray(0, -1)));
    refused(change((bytes) => bytes.subarray(1)));
    refused(change((bytes) => Buffer.concat([bytes, Buffer.from([0])])));
    refused(change(() => Buffer.alloc(0)));
    refused(change((bytes) => Buffer.alloc(bytes.length)));
    for (const at of [0, 15, 31]) {
      refused(
        change((bytes) => {
          const flipped = Buffer.from(bytes);
          flipped[at] = (flipped[at] ?? 0) ^ 1;
          return flipped;
        }),
      );
    }
    refused(withHeader(request, "signature", (value) => value.replace(`${label}=`, "other=")));
  });

  it("of the time, on both sides", () => {
    const created = Number(input.parameters.get("created")?.value) * 1_000;
    for (const nowMs of [created - 60_000, created, created + 59_999]) {
      expect(accepts(lenient, origin, request, nowMs)).toBe(true);
    }
    for (const nowMs of [created - 61_000, created + 61_000, created + 3_600_000]) {
      expect(accepts(lenient, origin, request, nowMs)).toBe(false);
    }
  });
});
